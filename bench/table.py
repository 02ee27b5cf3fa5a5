"""The table: one row per measurement, with the baselines. Ratios are taken pair by pair."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from statistics import median

NAMES = ("floor", "guide", "naive", "pydantic-ai", "openai-agents", "ours")
RATIOS = (("ours", "floor"), ("ours", "pydantic-ai"), ("ours", "openai-agents"))
PACKAGES = ("temporalio", "openai", "pydantic-ai-slim", "openai-agents", "temporalio-openai-agents")


@dataclass(frozen=True)
class Row:
    """One measurement. Samples with the same position were taken side by side."""

    name: str
    samples: Mapping[str, Sequence[float]]

    def value(self, contender: str) -> float | None:
        """Median; None if the contender was not measured."""
        samples = self.samples.get(contender)
        return median(samples) if samples else None

    def ratio(self, of: str, to: str) -> float | None:
        """Median of the ratios of neighbouring samples."""
        pairs = list(zip(self.samples.get(of, ()), self.samples.get(to, ()), strict=False))
        return median(first / second for first, second in pairs) if pairs else None


@dataclass(frozen=True)
class Curves:
    """The data of one contender in the plots."""

    gaps: list[list[float]]
    """Milliseconds of each round outside the model, for each run."""
    size: list[int]
    """Bytes of history at each model request of one run."""
    short_rates: Sequence[tuple[int, float]] = ()
    """Rounds per second of short runs, by the number of runs at once."""
    short_p95: Sequence[tuple[int, float]] = ()
    """Seconds within which 95 % of them end."""


@dataclass(frozen=True)
class ResultTable:
    """All rows for one result size, with notes."""

    title: str
    rows: list[Row]
    notes: list[str]
    curves: Mapping[str, Curves]

    def markdown(self) -> Iterator[str]:
        """Yield the lines of the table in Markdown."""
        yield f"## {self.title}"
        yield ""
        headings = ["", *NAMES, *(f"{of}/{to}" for of, to in RATIOS)]
        cells = [[row.name, *_cells(row)] for row in self.rows]
        widths = [max(len(line[column]) for line in [headings, *cells]) for column in range(len(headings))]
        yield _line(headings, widths)
        yield _line(["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])], widths)
        yield from (_line(line, widths) for line in cells)
        yield ""
        yield from (f"- {note}" for note in self.notes)


def machine() -> str:
    """Describe the machine and the versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{package} {found}" for package in PACKAGES if (found := _version(package)) is not None)
    return f"{cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {versions}"


def load() -> str:
    """Return the load average of the last minute, as text."""
    return f"{os.getloadavg()[0]:.1f}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cells(row: Row) -> Iterator[str]:
    yield from (_number(row.value(name)) for name in NAMES)
    yield from (_number(row.ratio(of, to), digits=2) for of, to in RATIOS)


def _number(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return "–"
    if digits is None:
        digits = 0 if value >= 1_000 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join([first, *others])} |"
