"""Figures that follow from two read numbers: differences, sums, ratios and products (pure).

Any number follows from enough others. So both numbers have a key and a unit, are under the same key or in the same
result, and the figure has at least two significant digits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product

from watchkeeper.incident.quantities import Quantity
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.vocabulary.unit_words import Dimension

MOST_UNDER_A_KEY = 8
MOST_IN_A_RESULT = 12
"""Larger groups of numbers support too much."""

_PRODUCTS: dict[Dimension, tuple[tuple[Dimension, Dimension], ...]] = {
    "rate": (("share", "rate"),),
    "count": (("share", "count"), ("rate", "time")),
    "bytes": (("share", "bytes"),),
    "time": (("share", "time"),),
}


def is_derived(number: Quantity, evidence: ReadEvidence) -> bool:
    """Tell whether a figure follows from two numbers that were read."""
    if number.digits < 2 and number.dimension != "multiple":
        return False
    return any(
        abs(value - result) <= step / 2 * (1 + 1e-6) + abs(value) * 1e-9
        for result in _results(number.dimension, evidence)
        for value, step in zip(number.values, number.steps, strict=True)
    )


def _groups(evidence: ReadEvidence) -> Iterator[list[tuple[Dimension, float]]]:
    """Yield the groups of numbers that may be combined."""
    by_key: dict[str, set[tuple[Dimension, float]]] = defaultdict(set)
    for numbers in evidence.keyed.values():
        in_result: set[tuple[Dimension, float]] = {
            (dimension, value) for _, dimension, value in numbers if dimension not in ("any", "count")
        }
        if len(in_result) <= MOST_IN_A_RESULT:
            yield sorted(in_result)
        for key, dimension, value in numbers:
            by_key[key].add((dimension, value))
    for group in by_key.values():
        if 1 < len(group) <= MOST_UNDER_A_KEY:
            yield sorted(group)


def _results(wanted: Dimension, evidence: ReadEvidence) -> Iterator[float]:
    for group in _groups(evidence):
        for (one, first), (other, second) in combinations(group, 2):
            if one != other:
                continue
            larger, smaller = max(first, second), min(first, second)
            if wanted in (one, "any"):
                yield larger - smaller
                yield larger + smaller
            if smaller and wanted == "multiple":
                yield larger / smaller
            if smaller and wanted == "share":
                yield from (smaller / larger, (larger - smaller) / larger, (larger - smaller) / smaller)
        if wanted == "share":
            yield from (1 - value for dimension, value in group if dimension == "share" and value < 1)
    yield from _products(wanted, evidence)


def _products(wanted: Dimension, evidence: ReadEvidence) -> Iterator[float]:
    for one, other in _PRODUCTS.get(wanted, ()):
        for numbers in evidence.keyed.values():
            first = {value for _, dimension, value in numbers if dimension == one}
            second = {value for _, dimension, value in numbers if dimension == other}
            if len(first) * len(second) <= MOST_IN_A_RESULT:
                yield from (a * b for a, b in product(first, second))
