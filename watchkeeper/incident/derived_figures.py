"""Figures that follow from two read numbers: differences, sums, ratios and products (pure).

Any number follows from enough others. So both numbers have a key and a unit, are under the same key or in the same
result, and the figure has at least two significant digits.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, combinations, product

from watchkeeper.incident.quantities import Quantity
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.vocabulary.unit_words import Dimension

MOST_UNDER_A_KEY = 8
MOST_IN_A_RESULT = 12
MOST_OF_A_RESULT = 5
MOST_COUNTS = 5
MOST_RATES = 3
MOST_SAID = 8
"""Larger groups of numbers support too much."""

_PRODUCTS: dict[Dimension, tuple[tuple[Dimension, Dimension], ...]] = {
    "rate": (("share", "rate"),),
    "count": (("share", "count"), ("rate", "time")),
    "bytes": (("share", "bytes"),),
    "time": (("share", "time"),),
}
_QUOTIENTS: dict[Dimension, tuple[tuple[Dimension, Dimension], ...]] = {
    "time": (("bytes", "bandwidth"), ("count", "rate"), ("any", "rate")),
    "rate": (("count", "time"),),
    "share": (("rate", "rate"), ("any", "bytes")),
}
_TOTAL = re.compile(r"total|count|sum|all|hits|size", re.IGNORECASE)
"""Keys of counts that may be set in relation across the rows of a result."""

_NAME = re.compile(r"(?:^|_)(?:id|pid|port|code|line|offset|number)$|Id$", re.IGNORECASE)
"""Keys of numbers that name something."""
_VAGUE = re.compile(r"count|total|value|number|amount|hits|matches|size|max|min|avg|mean", re.IGNORECASE)
"""Keys that do not say what is counted or measured."""
_LIMIT = re.compile(r"max|limit|total|capacity|desired|quota", re.IGNORECASE)
_SMALL_SUM = 100
"""Sums up to this one are too likely to be true of some row."""
_LARGE = 1e6
"""From here on, a number without a unit may be one of bytes."""

_UNKNOWN_SCALES: dict[Dimension, tuple[float, ...]] = {"time": (1.0, 1e-3), "share": (1.0, 0.01)}


def is_derived(
    number: Quantity, bounds: Sequence[tuple[float, float]], evidence: ReadEvidence, *, differs: bool
) -> bool:
    """Tell whether a figure follows from two numbers that were read.

    ``bounds``: what each of its values may be. ``differs``: it may be a difference or a sum.
    """
    results = _combined(number.dimension, evidence, rough=number.digits == 1)
    if (number.digits > 1 and (differs or number.dimension == "share")) or number.dimension == "multiple":
        results = chain(_differences_and_ratios(number.dimension, evidence), results)
    elif number.dimension == "count" or (number.digits > 1 and number.dimension in ("rate", "bytes")):
        results = chain(_totals(number.dimension, evidence), results)
    return any(low <= result <= high for result in results for low, high in bounds)


def _totals(wanted: Dimension, evidence: ReadEvidence) -> Iterator[float]:
    """Yield the sums of all numbers under one key of a result."""
    for numbers in evidence.keyed.values():
        sums: dict[tuple[str, Dimension], list[float]] = defaultdict(list)
        for key, dimension, value in numbers:
            if not _NAME.search(key):
                sums[key, dimension].append(value)
        for (_, dimension), values in sums.items():
            if len(values) > 1 and (dimension == wanted or (dimension == "any" and wanted == "count")):
                yield sum(values)


def _groups(evidence: ReadEvidence) -> Iterator[tuple[list[tuple[Dimension, float]], bool]]:
    """Yield the groups of numbers that may be combined, and whether they are under the same key."""
    by_key: dict[tuple[str, str], set[tuple[Dimension, float]]] = defaultdict(set)
    totals: dict[tuple[str, str], set[tuple[Dimension, float]]] = defaultdict(set)
    sizes: set[tuple[Dimension, float]] = set()
    large: set[tuple[Dimension, float]] = set()
    for name, numbers in evidence.keyed.items():
        in_result = _measured(numbers)
        if len(in_result) <= MOST_OF_A_RESULT:
            yield sorted(in_result), False
        for row in map(_measured, evidence.rows[name]):
            if 1 < len(row) <= MOST_IN_A_RESULT:
                yield sorted(row), False
        sizes |= {(dimension, value) for dimension, value in in_result if dimension == "bytes"}
        large |= {("bytes", value) for _, dimension, value in numbers if dimension == "any" and value >= _LARGE}
        sums: dict[tuple[str, Dimension], list[float]] = defaultdict(list)
        for key, dimension, value in numbers:
            if not _NAME.search(key):
                by_key[_place(evidence, name, key), key].add((dimension, value))
                sums[key, dimension].append(value)
        for (key, dimension), values in sums.items():
            if len(values) > 1:
                totals[_place(evidence, name, key), key].add((dimension, sum(values)))
                yield [(dimension, sum(values)), (dimension, 0.0)], True
    for group in (*by_key.values(), *totals.values()):
        if 1 < len(group) <= MOST_UNDER_A_KEY:
            yield sorted(group), True
    if (sizes or large) and len(sizes | large) <= MOST_UNDER_A_KEY:
        yield sorted(sizes | large), False


def _place(evidence: ReadEvidence, result: str, key: str) -> str:
    """Return where a key means the same: ``count`` counts other things in the results of another tool."""
    return evidence.tools.get(result, "") if _VAGUE.fullmatch(key) else ""


def _measured(numbers: list[tuple[str, Dimension, float]]) -> set[tuple[Dimension, float]]:
    """Return the numbers of which is known what they measure."""
    return {(dimension, value) for _, dimension, value in numbers if dimension not in ("any", "count")}


def _differences_and_ratios(wanted: Dimension, evidence: ReadEvidence) -> Iterator[float]:
    for group, same_key in _groups(evidence):
        for (one, first), (other, second) in combinations(group, 2):
            if one != other:
                continue
            larger, smaller = max(first, second), min(first, second)
            if one == wanted:
                yield larger - smaller
                if wanted != "share":
                    yield larger + smaller
            elif one == "any":
                yield from ((larger - smaller) * scale for scale in _UNKNOWN_SCALES.get(wanted, (1.0,)))
            if smaller and wanted == "multiple":
                yield larger / smaller
            if smaller and wanted == "share" and (same_key or one not in ("share", "time")):
                yield from (smaller / larger, (larger - smaller) / larger)
            if smaller and wanted == "share" and same_key:
                yield (larger - smaller) / smaller
        if wanted == "share":
            yield from (1 - value for dimension, value in group if dimension == "share" and value < 1)
    if wanted == "share":
        yield from (1 - value for value in evidence.fractions)
    if wanted == "time":
        times = [value for text in evidence.words for value in evidence.times_in(text)][:MOST_SAID]
        yield from (abs(one - other) for one, other in combinations(times, 2))
    if wanted in ("multiple", "time", "count"):
        yield from _against_alert(wanted, evidence)


def _against_alert(wanted: Dimension, evidence: ReadEvidence) -> Iterator[float]:
    """Yield the differences and ratios of numbers in an alert or message and read ones: a lag has grown since."""
    said = {entry[1:] for name, numbers in evidence.keyed.items() if name.startswith("message ") for entry in numbers}
    if len(said) > MOST_SAID:
        return
    read = {
        entry[1:] for name, numbers in evidence.keyed.items() if not name.startswith("message ") for entry in numbers
    }
    for dimension, value in said:
        for other_dimension, other in read:
            if dimension == other_dimension or "any" in (dimension, other_dimension):
                if wanted == "multiple":
                    if value and other:
                        yield from (value / other, other / value)
                elif wanted in (dimension, other_dimension) or (
                    wanted == "count" and dimension == other_dimension and abs(value - other) >= _SMALL_SUM
                ):
                    yield abs(value - other)


def _combined(wanted: Dimension, evidence: ReadEvidence, *, rough: bool) -> Iterator[float]:
    """Yield products and quotients of two numbers that measure different things, in one result."""
    for name, numbers in evidence.keyed.items():
        by_dimension: dict[Dimension, set[float]] = defaultdict(set)
        for _, dimension, value in numbers:
            by_dimension[dimension].add(value)
        rates = sorted(by_dimension["rate"])
        if wanted == "time" and len(rates) <= MOST_RATES:
            # A queue that drains faster than it fills is empty after its depth divided by the difference.
            by_dimension["rate"] |= {faster - slower for slower, faster in combinations(rates, 2)}
        for one, other in _PRODUCTS.get(wanted, ()):
            pairs = list(product(by_dimension[one], by_dimension[other]))
            if len(pairs) <= MOST_IN_A_RESULT:
                yield from (first * second for first, second in pairs)
        for one, other in _QUOTIENTS.get(wanted, ()):
            if rough and wanted == "time":
                continue
            pairs = [(first, second) for first, second in product(by_dimension[one], by_dimension[other]) if second]
            if len(pairs) <= MOST_IN_A_RESULT:
                yield from (first / second for first, second in pairs)
        if wanted == "share":
            yield from _parts_of_a_column(numbers)
        if wanted in ("count", "share", "bytes"):
            for row in evidence.rows[name]:
                yield from _of_a_row(wanted, row)
        if wanted == "share":
            totals = [entry for entry in numbers if _TOTAL.search(entry[0])]
            for row in (*evidence.rows[name], totals):
                counts = sorted(
                    {
                        value
                        for key, dimension, value in row
                        if dimension in ("any", "count") and value > 1 and not _NAME.search(key)
                    }
                )
                if len(counts) <= MOST_COUNTS:
                    yield from (smaller / larger for smaller, larger in combinations(counts, 2))
            yield from _parts_of_a_whole(numbers)
        if wanted == "time":
            # "One failed request every four seconds."
            failing = list(product(by_dimension["share"], by_dimension["rate"]))
            yield from (1 / (share * rate) for share, rate in failing[:MOST_IN_A_RESULT] if share * rate)


def _parts_of_a_column(numbers: list[tuple[str, Dimension, float]]) -> Iterator[float]:
    """Yield the shares of the numbers under one key in their sum: one region of three."""
    columns: dict[tuple[str, Dimension], list[float]] = defaultdict(list)
    for key, dimension, value in numbers:
        if dimension != "share" and not _NAME.search(key):
            columns[key, dimension].append(value)
    for values in columns.values():
        if 1 < len(values) <= MOST_IN_A_RESULT and (whole := sum(values)):
            yield from (value / whole for value in values)


def _left(row: list[tuple[str, Dimension, float]]) -> Iterator[float]:
    """Yield what is left between a number and its limit: connections and max_connections."""
    plain = {key: value for key, dimension, value in row if dimension in ("any", "count")}
    for (one, first), (other, second) in combinations(sorted(plain.items())[:MOST_IN_A_RESULT], 2):
        related = set(one.lower().split("_")) & set(other.lower().split("_"))
        if related or _LIMIT.search(one) or _LIMIT.search(other):
            yield abs(first - second)


def _of_a_row(wanted: Dimension, row: list[tuple[str, Dimension, float]]) -> Iterator[float]:
    """Yield what follows from the numbers of one JSON object: online and offline, bytes of instances."""
    if wanted == "count":
        yield from _left(row)
    counts = [value for key, dimension, value in row if dimension in ("any", "count") and not _NAME.search(key)]
    if not 1 <= len(counts) <= MOST_COUNTS:
        return
    if wanted == "count" and len(counts) > 2:
        yield sum(counts)
    for one, other in combinations(counts, 2):
        if wanted == "count" and one + other > _SMALL_SUM:
            yield one + other
        elif wanted == "share" and one + other:
            yield from (one / (one + other), other / (one + other))
    if wanted == "bytes":
        sizes = [value for _, dimension, value in row if dimension == "bytes"]
        yield from (size / count for size in sizes for count in counts if count)


def _parts_of_a_whole(numbers: list[tuple[str, Dimension, float]]) -> Iterator[float]:
    """Yield the shares of two parts, such as keyspace_hits and keyspace_misses, in their sum."""
    parts = {key: value for key, dimension, value in numbers if dimension in ("any", "count") and "_" in key}
    for (one, first), (other, second) in combinations(sorted(parts.items()), 2):
        if one.partition("_")[0] == other.partition("_")[0] and first + second:
            yield from (first / (first + second), second / (first + second))
