"""Figures that follow from other figures of the report: totals, shares, ratios and written calculations (pure).

A share that the report calls one of something (``12 % of the requests``, ``up 55 %``) may follow from more figures
than one that looks like a measurement (``CPU is at 94 %``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.quantities import Quantity, readings
from watchkeeper.incident.stated_arithmetic import calculated, follows
from watchkeeper.incident.vocabulary import figure_words
from watchkeeper.incident.vocabulary.unit_words import Dimension

_SAME_SENTENCE, _OPERANDS = 160, 4
"""Characters around a figure, and figures on each side of it, from which it may follow."""
_NEAR, _RECKONED = 28, 80
_TABLE, _SUMMANDS = 600, 10
"""Characters around a total in which its parts are, and most parts."""
_AROUND, _MOST_AROUND = 300, 16
"""Characters around a ratio that is called one, in which its figures are, and most figures."""
_PAGE, _MOST_OF_A_PAGE = 1_000, 32
"""Characters around an estimate in which its figures are, and most figures."""
_EQUAL = 0.02
MOST_OF_A_KIND = 12


@dataclass(frozen=True)
class Unread:
    """A figure that was not read."""

    found: re.Match[str]
    number: Quantity
    bounds: Sequence[tuple[float, float]]
    """What each of its values may be."""


def is_calculated(check: Check, figure: Unread, read: Sequence[tuple[int, Quantity]], last: Quantity | None) -> bool:
    """Tell whether a figure follows from figures of the report that were read.

    ``read``: these figures by offset. ``last``: the figure before this one in its line that follows from others.
    """
    before, after = _in_line(check, figure, read)
    near = [*after[:_OPERANDS], *before[-_OPERANDS:], *([last] if last else [])]
    return (
        follows(figure.number, figure.bounds, near, reckoned=_is_reckoned(check, figure))
        or _is_per_time(check, figure, near)
        or _is_written(check, figure)
        or _is_written_part(check, figure)
        or _is_operand(check, figure)
        or _is_sum(check, figure, read)
        or _is_compared(check, figure, after[:1])
        or _is_part(check, figure, near)
        or _is_whole(check, figure, before)
        or _is_called_ratio(check, figure, read)
        or _is_estimate(check, figure, read)
    )


def _in_line(
    check: Check, figure: Unread, read: Sequence[tuple[int, Quantity]]
) -> tuple[list[Quantity], list[Quantity]]:
    """Return the read figures of the same line before and after a figure."""
    start, until = figure.found.span()
    begin = max(check.text.rfind("\n", 0, start) + 1, start - _SAME_SENTENCE)
    end = check.text.find("\n", until, until + _SAME_SENTENCE)
    starts = [at for at, _ in read]
    after = read[bisect_left(starts, until) : bisect_left(starts, end if end >= 0 else until + _SAME_SENTENCE)]
    before = read[bisect_left(starts, begin) : bisect_left(starts, start)]
    return [other for _, other in before], [other for _, other in after]


def _is_reckoned(check: Check, figure: Unread) -> bool:
    """Tell whether the sentence says that a figure is the result of a calculation."""
    start, end = figure.found.span()
    before = check.text[line_start(check, figure) : start]
    return bool(
        figure_words.RECKONED_AFTER.match(check.text, end)
        or figure_words.RECKONED.search(before[-_RECKONED:])
        or figure_words.RECKONED_LATER.match(check.text, end)
    )


def line_start(check: Check, figure: Unread) -> int:
    """Return where the line of a figure begins, or the part of it that counts."""
    start = figure.found.start()
    return max(check.text.rfind("\n", 0, start) + 1, start - _SAME_SENTENCE)


def _is_per_time(check: Check, figure: Unread, near: Sequence[Quantity]) -> bool:
    """Tell whether a rate is a total over a time: one in the line, or from the first to the last time of a result."""
    if figure.number.dimension != "rate":
        return False
    over = [value for operand in near if operand.dimension == "time" for value in operand.values]
    if figure_words.ABOUT.search(_before(check, figure)):
        over += check.evidence.row_spans
        if any(low <= rate <= high for rate in check.evidence.window_rates for low, high in figure.bounds):
            return True
    return any(
        low * time <= total <= high * time
        for low, high in figure.bounds
        for time in over
        for total in check.evidence.totals
    )


def _before(check: Check, figure: Unread) -> str:
    start = figure.found.start()
    return check.text[max(0, start - _NEAR) : start]


def _is_written(check: Check, figure: Unread) -> bool:
    """Tell whether a figure is the result of a calculation that the report writes: 20 x 94 / 65 = 28.9."""
    start = figure.found.start()
    line = check.text[max(check.text.rfind("\n", 0, start) + 1, start - _SAME_SENTENCE) : start]
    expression = figure_words.EXPRESSION.search(line)
    result = calculated(expression[1]) if expression else None
    if result is None:
        return False
    half = 0.6 * figure.number.steps[-1] * (figure.number.number / figure.number.values[-1] or 1.0)
    scales = figure_words.CALCULATED_SCALES
    return any(abs(result * scale - figure.number.number) <= max(half, 0.01 * figure.number.number) for scale in scales)


def _is_written_part(check: Check, figure: Unread) -> bool:
    """Tell whether a share is that of a part and a whole which its line names: 1/4 pods, that is 25 %."""
    if figure.number.dimension != "share":
        return False
    start = figure.found.start()
    digits = check.evidence.digits
    return any(
        low <= int(part) / int(whole) <= high
        for part, whole in figure_words.PART_WRITTEN.findall(check.text, line_start(check, figure), start)
        if part in digits and whole in digits and int(whole)
        for low, high in figure.bounds
    )


def _is_operand(check: Check, figure: Unread) -> bool:
    """Tell whether a written calculation with this figure has a result that was read: 91,200 x 415 = 37.9 MB."""
    start = figure.found.start()
    line = check.text[max(check.text.rfind("\n", 0, start) + 1, start - _SAME_SENTENCE) : start + _SAME_SENTENCE]
    for equation in figure_words.EQUATION.finditer(line):
        result, read = calculated(equation[1]), readings(equation[2])[0][0]
        if figure.found["number"] not in equation[1] or not result or not read:
            continue
        if any(abs(result * scale / read - 1) < _EQUAL for scale in figure_words.CALCULATED_SCALES):
            return equation[2] in check.evidence.digits
    return False


def _is_sum(check: Check, figure: Unread, read: Sequence[tuple[int, Quantity]]) -> bool:
    """Tell whether a total is the sum of figures that follow each other in the report, such as a column."""
    start, end = figure.found.span()
    if not figure_words.TOTAL.search(check.text[max(0, start - _NEAR) : end + _NEAR]):
        return False
    near = [
        other.values[0]
        for at, other in read
        if abs(at - start) <= _TABLE and other.dimension == figure.number.dimension
    ]
    value, half = figure.number.values[0], figure.number.steps[0] / 2
    for first in range(len(near)):
        total = 0.0
        for count, part in enumerate(near[first : first + _SUMMANDS], 1):
            total += part
            if count > 1 and abs(total - value) <= half:
                return True
    return False


def _is_compared(check: Check, figure: Unread, following: Sequence[Quantity]) -> bool:
    """Tell whether a read number is so much larger or smaller than the one that follows: 10x the threshold of 5,000."""
    share = figure.number.dimension == "share"
    if not (share or figure.number.dimension == "multiple") or not following:
        return False
    if not figure_words.COMPARED.match(check.text, figure.found.end()):
        return False
    more = [(1 + low, 1 + high) for low, high in figure.bounds] if share else list(figure.bounds)
    less = [(1 - high, 1 - low) for low, high in figure.bounds] if share else []
    other = following[0]
    dimensions: set[Dimension] = {other.dimension, "any"} if other.dimension == "count" else {other.dimension}
    return any(
        check.evidence.has_number(dimension, value * low, value * high)
        for value in other.values
        for low, high in (*more, *less)
        for dimension in dimensions
    )


def _is_part(check: Check, figure: Unread, near: Sequence[Quantity]) -> bool:
    """Tell whether a read size or rate is this share of one that the sentence names: 60 % of it."""
    if figure.number.dimension != "share" or not figure_words.OF.match(check.text, figure.found.end()):
        return False
    return any(
        check.evidence.has_number(other.dimension, value * low, value * high)
        for other in near
        if other.dimension in ("bytes", "rate")
        for value in other.values
        for low, high in figure.bounds
    )


def _is_whole(check: Check, figure: Unread, before: Sequence[Quantity]) -> bool:
    """Tell whether a figure is the sum of its part, which the report names before it, and a read one: 56 of 917."""
    if not before or not figure_words.PART_OF.search(_before(check, figure)):
        return False
    part = before[-1].values[-1]
    dimensions: set[Dimension] = {figure.number.dimension, "any", "count"}
    return any(
        check.evidence.has_number(dimension, low - part, high - part)
        for low, high in figure.bounds
        for dimension in dimensions
        if low > part
    )


def _is_called_ratio(check: Check, figure: Unread, read: Sequence[tuple[int, Quantity]]) -> bool:
    """Tell whether what the report calls a ratio is one of figures around it, or of few read rates and sizes."""
    start, end = figure.found.span()
    multiple = figure.number.dimension == "multiple" or (
        figure.number.dimension == "count" and bool(figure_words.PER_ONE.match(check.text, end))
    )
    if not multiple and (
        figure.number.dimension != "share"
        or not (
            figure_words.RATIO_AFTER.match(check.text, end)
            or figure_words.RATIO_BEFORE.search(check.text, max(0, start - _NEAR), start)
        )
    ):
        return False
    nearest = sorted((abs(at - start), at) for at, _ in read if abs(at - start) <= _AROUND)[:_MOST_AROUND]
    chosen = {at for _, at in nearest}
    around = [other for at, other in read if at in chosen]
    return follows(figure.number, figure.bounds, around, most=_MOST_AROUND) or any(
        low <= result <= high for result in _ratios(check) for low, high in figure.bounds
    )


def _is_estimate(check: Check, figure: Unread, read: Sequence[tuple[int, Quantity]]) -> bool:
    """Tell whether what the report calls an estimate follows from any two of its figures nearby."""
    if not figure_words.ABOUT.search(_before(check, figure)):
        return False
    start = figure.found.start()
    around = [other for at, other in read if abs(at - start) <= _PAGE][:_MOST_OF_A_PAGE]
    return follows(figure.number, figure.bounds, around, most=_MOST_OF_A_PAGE)


def _ratios(check: Check) -> Iterator[float]:
    """Yield the ratios of the read rates and sizes, if they are few."""
    for dimension in ("rate", "bytes"):
        values = check.evidence.numbers.get(dimension, [])
        if len(values) <= MOST_OF_A_KIND:
            for at, smaller in enumerate(values):
                for larger in values[at + 1 :]:
                    if smaller:
                        yield from (smaller / larger, larger / smaller, 1 - smaller / larger, larger / smaller - 1)
