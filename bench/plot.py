"""The plots: time of a round and size of the history over the rounds of one run, and short runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from bench.short_runs import REPEATS
from bench.table import Curves, ResultTable

MEGABYTE = 2**20
MAX_HISTORY = 50
"""Megabytes of history at which Temporal ends a run."""

SMOOTHING_ROUNDS = 9
"""Each point is the median of this number of rounds."""

SERIES = {
    "ours": ("Watchkeeper", "#0b6e4f", 2.4),
    "pydantic-ai": ("pydantic-ai with Temporal", "#b8860b", 1.8),
    "openai-agents": ("OpenAI Agents SDK with Temporal", "#7b4ea3", 1.8),
    "naive": ("naive loop on Temporal", "#c8553d", 1.8),
    "floor": ("empty Temporal loop", "#8a8f98", 1.6),
    "guide": ("loop in process, not durable", "#4f6d9a", 1.4),
}
"""Each contender's name in the plots, its colour and the width of its line."""

STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e6ea",
    "svg.fonttype": "none",
    "svg.hashsalt": "watchkeeper",
}


def draw(table: ResultTable, file: Path) -> None:
    """Write the plots of one table in the format of the file name, such as SVG."""
    rounds = max(len(run) for curves in table.curves.values() for run in curves.gaps)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 8.6), layout="constrained", facecolor="white")
        (time, size), (rate, latency) = figure.subplots(2, 2)
        for name, (label, colour, width) in SERIES.items():
            if name in table.curves:
                curves = table.curves[name]
                _time(time, curves, rounds, colour, width, label)
                _size(size, curves, rounds, colour, width)
                _short_runs(rate, curves.short_rates, colour, width)
                _short_runs(latency, curves.short_p95, colour, width)
        _finish_time(time, rounds)
        _finish_size(size, rounds)
        _finish_short_runs(rate, "Short runs at once", "rounds/s")
        _finish_short_runs(latency, "95 % of the short runs end within", "seconds (logarithmic)")
        latency.set_yscale("log")
        latency.yaxis.set_major_formatter("{x:g}")
        latency.yaxis.set_minor_formatter(NullFormatter())
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
        figure.suptitle(f"Runs of {table.title}", x=0.01, ha="left", fontsize=12, fontweight="bold")
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None, dpi=120)


def smooth(runs: list[list[float]]) -> list[float]:
    """Return the median over all runs and the neighbouring rounds."""
    by_round = [
        [milliseconds for milliseconds in samples if milliseconds is not None] for samples in zip_longest(*runs)
    ]
    offsets = range(-(SMOOTHING_ROUNDS // 2), SMOOTHING_ROUNDS // 2 + 1)
    return [
        median(milliseconds for n in offsets if 0 <= at + n < len(by_round) for milliseconds in by_round[at + n])
        for at in range(len(by_round))
    ]


def _time(axes: Axes, curves: Curves, rounds: int, colour: str, width: float, label: str) -> None:
    points = smooth(curves.gaps)
    axes.plot(range(1, len(points) + 1), points, color=colour, linewidth=width, label=label)
    if len(points) < rounds:
        axes.plot(len(points), points[-1], "X", color=colour, markersize=9)
        axes.annotate(f"fails in round {len(points) + 1}", (len(points), points[-1]), (9, -3), **_label_style(colour))


def _size(axes: Axes, curves: Curves, rounds: int, colour: str, width: float) -> None:
    if not curves.size:
        return
    points = [recorded / MEGABYTE for recorded in curves.size]
    axes.plot(range(len(points)), points, color=colour, linewidth=width)
    if len(points) <= rounds:
        axes.plot(len(points) - 1, points[-1], "X", color=colour, markersize=9)
    else:
        axes.annotate(f"{points[-1]:.1f} MiB", (rounds, points[-1]), (4, -3), **_label_style(colour))


def _short_runs(axes: Axes, points: Sequence[tuple[int, float]], colour: str, width: float) -> None:
    if points:
        counts, values = zip(*points, strict=True)
        axes.plot(counts, values, color=colour, linewidth=width, marker="o", markersize=4)


def _label_style(colour: str) -> Any:
    return {"textcoords": "offset points", "fontsize": 9, "color": colour}


def _finish_time(axes: Axes, rounds: int) -> None:
    axes.set_title("Time of a round outside the model", loc="left", fontsize=10)
    axes.set(xlabel="round", ylabel="milliseconds (logarithmic)", yscale="log", xlim=(0, rounds))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _finish_size(axes: Axes, rounds: int) -> None:
    axes.set_title("History recorded so far, all executions of the run", loc="left", fontsize=10)
    axes.set(xlabel="round", ylabel="MiB", xlim=(0, rounds))
    axes.set_ylim(0, max(MAX_HISTORY, axes.get_ylim()[1]) * 1.12)
    axes.axhline(MAX_HISTORY, color="#5b5f66", linewidth=1, linestyle="--")
    axes.annotate(
        f"{MAX_HISTORY} MiB: Temporal ends an execution",
        (rounds, MAX_HISTORY),
        (0, 4),
        ha="right",
        **_label_style("#5b5f66"),
    )


def _finish_short_runs(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set(xlabel="runs at once (logarithmic)", ylabel=unit, xscale="log")
    axes.set_xticks(list(REPEATS), [str(count) for count in REPEATS])
    axes.xaxis.set_minor_locator(NullLocator())
