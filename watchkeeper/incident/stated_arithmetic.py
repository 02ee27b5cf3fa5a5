"""Figures that follow from other figures of the same sentence: 60,000 / 14 is about 4,286 s (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

from watchkeeper.incident.quantities import Quantity, readings
from watchkeeper.incident.vocabulary.unit_words import Dimension

MOST_OPERANDS = 8
"""More figures in a sentence support too much."""

_RATIOS: tuple[Dimension, ...] = ("share", "multiple")
_FACTORS: tuple[Dimension, ...] = ("count", "share", "multiple")
_PRODUCTS: dict[frozenset[Dimension], Dimension] = {
    frozenset(("rate", "time")): "count",
    frozenset(("rate", "share")): "rate",
    frozenset(("count", "share")): "count",
    frozenset(("bytes", "share")): "bytes",
    frozenset(("time", "share")): "time",
    frozenset(("bandwidth", "time")): "bytes",
    frozenset(("bytes", "rate")): "bandwidth",
}
_QUOTIENTS: dict[tuple[Dimension, Dimension], Dimension] = {
    ("count", "time"): "rate",
    ("count", "rate"): "time",
    ("bytes", "time"): "bandwidth",
    ("bytes", "bandwidth"): "time",
    ("count", "share"): "count",
    ("rate", "share"): "rate",
}


def follows(
    number: Quantity,
    bounds: Sequence[tuple[float, float]],
    operands: Sequence[Quantity],
    *,
    most: int = MOST_OPERANDS,
    reckoned: bool = True,
) -> bool:
    """Tell whether a figure follows from one or two supported figures that the reader sees next to it.

    ``reckoned``: the sentence says that the figure is a result, so it may be a product or quotient of counts, too.
    """
    nearest = operands[-most:]
    results = _results(number.dimension, nearest, reckoned=reckoned)
    return any(low <= result <= high for result in results for low, high in bounds)


def _results(wanted: Dimension, operands: Sequence[Quantity], *, reckoned: bool) -> Iterator[float]:
    for operand in operands:
        if operand.dimension == wanted:
            yield from operand.values
            if wanted == "share":
                yield from (1 - value for value in operand.values)
    for one, other in combinations(operands, 2):
        for first in one.values:
            for second in other.values:
                if first and second:
                    yield from _of_two(wanted, (one.dimension, first), (other.dimension, second))
                    if reckoned:
                        yield from _of_counts(wanted, (one.dimension, first), (other.dimension, second))


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
    elif wanted in ("share", "multiple") and {dimension, second_dimension} == {"rate", "count"}:
        # 4,789 requests/s, yesterday 5,032.
        yield from (larger / smaller, smaller / larger, (larger - smaller) / larger, (larger - smaller) / smaller)
    if wanted == _PRODUCTS.get(frozenset((dimension, second_dimension))):
        yield first * second
    if wanted == _QUOTIENTS.get((dimension, second_dimension)):
        yield first / second
    if wanted == _QUOTIENTS.get((second_dimension, dimension)):
        yield second / first


def _of_counts(wanted: Dimension, one: tuple[Dimension, float], other: tuple[Dimension, float]) -> Iterator[float]:
    """Yield the products and quotients with a number that has no unit: 20 pods with 64 threads each."""
    for (dimension, first), (second_dimension, second) in ((one, other), (other, one)):
        if second_dimension in _FACTORS and (dimension == wanted or wanted == "count"):
            yield from (first * second, first / second)


_SIGNS = {"+": "+", "-": "-", "x": "*", "*": "*", "\u00d7": "*", "\u00b7": "*", "/": "/", "\u00f7": "/"}


def calculated(expression: str) -> float | None:
    """Return the result of a calculation such as ``20 x 94 / 65``; None if it divides by zero. Units are ignored."""
    terms: list[float] = [0.0]
    sign = "+"
    for token in re.findall(r"\d+(?:[,.]\d+)*|[-+x*\u00d7\u00b7/\u00f7]", expression):
        if not token[0].isdigit():
            sign = _SIGNS[token]
            continue
        value = readings(token)[0][0]
        if sign in "+-":
            terms.append(value if sign == "+" else -value)
        elif sign == "*":
            terms[-1] *= value
        elif value:
            terms[-1] /= value
        else:
            return None
    return sum(terms)
