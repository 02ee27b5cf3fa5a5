"""The plot: time of a round and size of the history, over the rounds of one run."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from bench.table import Curves, ResultTable

MEGABYTE = 2**20
MAX_HISTORY = 50
"""Megabytes of history at which Temporal ends a run."""

SMOOTHING_ROUNDS = 9
"""Each point is the median of this number of rounds."""

SERIES = {
    "ours": ("Watchkeeper", "#0b6e4f", 2.4),
    "floor": ("empty Temporal loop", "#8a8f98", 1.6),
    "naive": ("naive loop on Temporal", "#c8553d", 1.8),
    "guide": ("loop in process, not durable", "#4f6d9a", 1.4),
}
"""Each contender's name in the plot, its colour and the width of its line."""

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
    """Write the plot of one table in the format of the file name, such as SVG."""
    rounds = max(len(run) for curves in table.curves.values() for run in curves.orchestration)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10.4, 4.6), layout="constrained", facecolor="white")
        time, size = figure.subplots(1, 2)
        for name, (label, colour, width) in SERIES.items():
            if name in table.curves:
                _time(time, table.curves[name], rounds, colour, width, label)
                _size(size, table.curves[name], rounds, colour, width)
        _finish_time(time, rounds)
        _finish_size(size, rounds)
        figure.legend(loc="outside lower center", ncols=len(SERIES), frameon=False, fontsize=9)
        figure.suptitle(f"One run of {table.title}", x=0.01, ha="left", fontsize=12, fontweight="bold")
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
    points = smooth(curves.orchestration)
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


def _label_style(colour: str) -> Any:
    return {"textcoords": "offset points", "fontsize": 9, "color": colour}


def _finish_time(axes: Axes, rounds: int) -> None:
    axes.set_title("Time of a round outside the model", loc="left", fontsize=10)
    axes.set(xlabel="round", ylabel="milliseconds (logarithmic)", yscale="log", xlim=(0, rounds))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


def _finish_size(axes: Axes, rounds: int) -> None:
    axes.set_title("History recorded so far", loc="left", fontsize=10)
    axes.set(xlabel="round", ylabel="MiB", xlim=(0, rounds), ylim=(0, MAX_HISTORY * 1.12))
    axes.axhline(MAX_HISTORY, color="#5b5f66", linewidth=1, linestyle="--")
    axes.annotate(
        f"{MAX_HISTORY} MiB: Temporal ends the run",
        (rounds, MAX_HISTORY),
        (0, 4),
        ha="right",
        **_label_style("#5b5f66"),
    )
