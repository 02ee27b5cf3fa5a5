"""The check of figures: each must have been read, in its unit and at the precision written (pure)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.derived_figures import is_derived
from watchkeeper.incident.quantities import Quantity, compound_seconds, decimal_comma, quantity
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.stated_arithmetic import follows
from watchkeeper.incident.vocabulary import figure_words
from watchkeeper.incident.vocabulary.unit_words import COMPOUND, FIGURE, Dimension

_BEFORE, _AHEAD = 28, 60
_SAME_SENTENCE, _OPERANDS = 160, 4
"""Characters around a figure, and figures on each side of it, from which it may follow."""
SMALL = 12
"""Counts up to this one are often made by the reader: two suspects, three causes."""

_SLACK_OVER, _SLACK_UNDER, _SLACK_ABOUT = 1.3, 0.75, 0.05
_COUNT_SCALES: dict[Dimension, tuple[float, ...]] = {
    "share": (1.0, 0.01),
    "time": (1.0, 1e-3),
    "bytes": (1.0, 2.0**20),
    "rate": (1.0,),
    "cores": (1.0, 1e-3),
}
_SCALES: dict[Dimension, tuple[float, ...]] = {"share": (1.0, 0.01), "time": (1.0, 1e-3), "bytes": (1.0, 2.0**20)}


def check_figures(check: Check, clocks: Sequence[int]) -> None:
    """Flag figures that no result, alert or message has. ``clocks``: supported clock times of the report."""
    for mark in figure_words.LIST_MARK.finditer(check.text):
        check.take(*mark.span())
    check.hide()
    durations = check.evidence.times.durations(clocks)
    comma = decimal_comma(check.report.plain)
    _check_compounds(check, durations)
    unread: list[tuple[re.Match[str], Quantity, str]] = []
    read: list[tuple[int, Quantity]] = []
    for found in FIGURE.finditer(check.text):
        number = quantity(found, comma=comma)
        if number is None or not check.is_stated(found.start()):
            continue
        if _is_no_figure(check, found, number):
            read.append((found.start(), number))
            continue
        before = check.text[max(0, found.start() - _BEFORE) : found.start()]
        if figure_words.OR_MORE.match(check.text, found.end()):
            before = "over "
        readings = [number, *_other_readings(check, found, comma=comma)]
        if any(_is_supported(check.evidence, reading, before, durations) for reading in readings):
            read.append((found.start(), number))
        else:
            unread.append((found, number, before))
    _check_arithmetic(check, unread, read)


def _check_arithmetic(
    check: Check, unread: Sequence[tuple[re.Match[str], Quantity, str]], read: list[tuple[int, Quantity]]
) -> None:
    """Flag the figures that were not read, if they do not follow from figures in the same line that were."""
    starts = [start for start, _ in read]
    accepted: list[tuple[int, Quantity]] = []
    for found, number, before in unread:
        begin = max(check.text.rfind("\n", 0, found.start()) + 1, found.start() - _SAME_SENTENCE)
        end = check.text.find("\n", found.end(), found.end() + _SAME_SENTENCE)
        end = end if end >= 0 else found.end() + _SAME_SENTENCE
        after = [other for _, other in read[bisect_left(starts, found.end()) : bisect_left(starts, end)]]
        near = [other for _, other in read[bisect_left(starts, begin) : bisect_left(starts, found.start())]]
        near = [*after[:_OPERANDS], *near[-_OPERANDS:], *(other for start, other in accepted[-1:] if start >= begin)]
        bounds = [_bounds(value, step, before) for value, step in zip(number.values, number.steps, strict=True)]
        over = [value for operand in near if operand.dimension == "time" for value in operand.values]
        per_time = number.dimension == "rate" and any(
            low * time <= total <= high * time
            for low, high in bounds
            for time in over
            for total in check.evidence.totals
        )
        if per_time or follows(number, bounds, near) or _is_compared(check, found, number, bounds, after[:1]):
            accepted.append((found.start(), number))
        else:
            check.flag(found.start(), found.end(), "figure", "no result has this figure in this unit")


def _is_compared(
    check: Check,
    found: re.Match[str],
    number: Quantity,
    bounds: Sequence[tuple[float, float]],
    following: Sequence[Quantity],
) -> bool:
    """Tell whether a read number is so much larger or smaller than the one that follows: 10x the threshold of 5,000."""
    if number.dimension not in ("multiple", "share") or not following:
        return False
    if not figure_words.COMPARED.match(check.text, found.end()):
        return False
    more = [(1 + low, 1 + high) for low, high in bounds] if number.dimension == "share" else list(bounds)
    less = [(1 - high, 1 - low) for low, high in bounds] if number.dimension == "share" else []
    other = following[0]
    dimensions: set[Dimension] = {other.dimension, "any"} if other.dimension == "count" else {other.dimension}
    return any(
        check.evidence.has_number(dimension, value * low, value * high)
        for value in other.values
        for low, high in (*more, *less)
        for dimension in dimensions
    )


def _other_readings(check: Check, found: re.Match[str], *, comma: bool) -> Iterator[Quantity]:
    """Yield what a number without a unit may mean: 7.98 in 7.98/8.00 GB, or bytes in 512M."""
    written = found["number"]
    if found["unit"] or found["rate"] or found["bytes"]:
        return
    if found["scale"] and found["scale"] in ("k", "K", "M"):
        units = [f"{found['scale']}B", f"{found['scale']}i"]
    else:
        link = figure_words.SAME_UNIT.match(check.text, found.end())
        following = FIGURE.match(check.text[link.end() : link.end() + _AHEAD]) if link else None
        unit = following and (following["unit"] or following["rate"] or following["scale"])
        units = [unit] if unit else []
    for unit in units:
        again = FIGURE.fullmatch(f"{written} {unit.strip()}")
        number = quantity(again, comma=comma) if again else None
        if number:
            yield number


def _is_supported(evidence: ReadEvidence, number: Quantity, before: str, durations: set[int]) -> bool:
    if _is_read(evidence, number, before):
        return True
    if number.dimension == "time" and _is_duration(number, durations, before):
        return True
    exact = number.dimension == "bytes" and not figure_words.ABOUT.search(before)
    unit = number.values[-1] / number.number if number.number else 1.0
    steps = [min(step, unit) for step in number.steps] if exact and number.number >= 1 else number.steps
    bounds = [_bounds(value, step, before) for value, step in zip(number.values, steps, strict=True)]
    return is_derived(number, bounds, evidence)


def _check_compounds(check: Check, durations: set[int]) -> None:
    """Flag durations in two units, such as 3 h 40 min."""
    for found in COMPOUND.finditer(check.text):
        check.take(*found.span())
        total, step = compound_seconds([part or "" for part in found.groups()])
        if not check.is_stated(found.start()) or figure_words.AGO.match(check.text, found.end()):
            continue
        low, high = _bounds(total, step, check.text[max(0, found.start() - _BEFORE) : found.start()])
        high += step / 2
        if not check.evidence.has_number("time", low, high) and not any(low <= read <= high for read in durations):
            check.flag(*found.span(), "figure", "no result has this duration")
    check.hide()


def _is_no_figure(check: Check, found: re.Match[str], number: Quantity) -> bool:
    after = check.text[found.end() : found.end() + 40]
    before = check.text[max(0, found.start() - _BEFORE) : found.start()]
    if number.dimension == "time" and figure_words.AGO.match(after):
        return True
    if number.dimension == "share" and figure_words.CERTAINTY.search(
        check.text, max(0, found.start() - _AHEAD), found.start()
    ):
        return True
    if figure_words.WELL_KNOWN.search(check.text, max(0, found.start() - _AHEAD), found.start()):
        return True
    if figure_words.HTTP_STATUSES.match(found[0]):
        return True
    if figure_words.PORT.search(before) and number.number in figure_words.PORTS:
        return True
    if number.dimension == "share" and figure_words.CERTAIN.match(after):
        return True
    if "mio" in (found["unit"] or found["scale"] or "").lower():
        return True  # Mebioctets in French, millions in German.
    if number.dimension != "count":
        return number.number == 0
    if after[:1] == "%" or number.number in (0, 1) or figure_words.NUMBERED.search(before):
        return True
    if re.match(r"[ ]?[\u3040-\u9fff]", after) and not figure_words.COUNTED.match(after):
        return True
    counted = bool(figure_words.COUNTED.match(after))
    if number.number <= SMALL and number.number.is_integer():
        return not counted
    return 1990 <= number.number <= 2100 and not counted and number.number.is_integer()


def _bounds(value: float, step: float, before: str) -> tuple[float, float]:
    half = step / 2 + abs(value) * 1e-9
    low, high = value - half, value + half
    if figure_words.ABOUT.search(before):
        slack = max(half, abs(value) * _SLACK_ABOUT)
        low, high = value - slack, value + slack
    if figure_words.OVER.search(before):
        high = max(high, value * _SLACK_OVER)
    if figure_words.UNDER.search(before):
        low = min(low, value * _SLACK_UNDER)
    return low, high


def _is_read(evidence: ReadEvidence, number: Quantity, before: str) -> bool:
    unit = number.values[-1] / number.number if number.number else 1.0
    for value, step in zip(number.values, number.steps, strict=True):
        low, high = _bounds(value, step, before)
        if number.dimension == "count":
            if _is_counted(evidence, low, high):
                return True
            continue
        if evidence.has_number(number.dimension, low, high):
            return True
        scales = {unit, *_SCALES.get(number.dimension, (1.0,))}
        if any(evidence.has_number("any", low / scale, high / scale) for scale in scales):
            return True
        if number.dimension == "multiple" and evidence.has_number("count", low, high):
            return True
    return False


def _is_counted(evidence: ReadEvidence, low: float, high: float) -> bool:
    """Tell whether a number without a unit was read, in any unit."""
    if evidence.has_number("count", low, high) or evidence.has_number("any", low, high):
        return True
    return any(
        evidence.has_number(dimension, low * scale, high * scale)
        for dimension, scales in _COUNT_SCALES.items()
        for scale in scales
    )


def _is_duration(number: Quantity, durations: set[int], before: str) -> bool:
    """Tell whether a duration lies between two times that were read, rounded or cut to the unit written."""
    for value, step in zip(number.values, number.steps, strict=True):
        low, high = _bounds(value, step, before)
        if step >= 1 and any(low <= seconds <= max(high, value + step * 0.999) for seconds in durations):
            return True
    return False
