"""Figures that follow from other figures of the same sentence: 60,000 / 14 is about 4,286 s (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from watchkeeper.incident.quantities import Quantity
from watchkeeper.incident.vocabulary.unit_words import Dimension

MOST_OPERANDS = 8
"""More figures in a sentence support too much."""

_RATIOS: tuple[Dimension, ...] = ("share", "multiple", "count")


def follows(number: Quantity, bounds: Sequence[tuple[float, float]], operands: Sequence[Quantity]) -> bool:
    """Tell whether a figure follows from one or two supported figures that the reader sees next to it."""
    nearest = operands[-MOST_OPERANDS:]
    return any(low <= result <= high for result in _results(number.dimension, nearest) for low, high in bounds)


def _results(wanted: Dimension, operands: Sequence[Quantity]) -> Iterator[float]:
    for operand in operands:
        if operand.dimension == wanted:
            yield from operand.values
    for one, other in combinations(operands, 2):
        for first in one.values:
            for second in other.values:
                if first and second:
                    yield from _of_two(wanted, (one.dimension, first), (other.dimension, second))


def _of_two(wanted: Dimension, one: tuple[Dimension, float], other: tuple[Dimension, float]) -> Iterator[float]:
    (dimension, first), (second_dimension, second) = one, other
    larger, smaller = max(first, second), min(first, second)
    if dimension == second_dimension:
        if dimension == wanted:
            yield larger - smaller
            if wanted != "share":
                yield larger + smaller
        if wanted in _RATIOS:
            yield from (larger / smaller, smaller / larger, (larger - smaller) / larger, (larger - smaller) / smaller)
        elif dimension == "count":
            yield from (larger / smaller, smaller / larger)
    if wanted not in ("share", "multiple"):
        yield from (first * second, first / second, second / first)
