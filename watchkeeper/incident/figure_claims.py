"""The check of figures: each must have been read, in its unit and at the precision written (pure)."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import replace

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.derived_figures import is_derived
from watchkeeper.incident.figure_arithmetic import Unread, is_calculated, line_start
from watchkeeper.incident.quantities import Quantity, compound_seconds, decimal_comma, quantity
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.vocabulary import figure_words
from watchkeeper.incident.vocabulary.unit_words import COMPOUND, FIGURE, Dimension

_BEFORE, _AHEAD = 28, 60
_SLACK_PART = 0.15
_SAME_SENTENCE, _CHAIN = 160, 10
_OBJECTIVE_DAYS: tuple[float, ...] = (7.0, 28.0, 30.0, 90.0)
SMALL = 12
"""Counts up to this one are often made by the reader: two suspects, three causes."""

_SLACK_OVER, _SLACK_UNDER, _SLACK_ABOUT = 1.3, 0.75, 0.05
_SLACK_UNDER_ROUND = 0.3
"""For bounds with one digit: below 0.1 %."""
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
    for part in figure_words.ONE_IN.finditer(check.text):
        if _is_share_read(check.evidence, int(part["part"]), int(part["whole"].replace(",", ""))):
            check.take(*part.span())
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
        if number.dimension == "time" and number.values[-1] >= 60 and found["number"].endswith(".5"):
            unit = number.values[-1] / number.number
            number = replace(number, steps=tuple(unit / 2 for _ in number.steps))  # Half an hour is a rough figure.
        if figure_words.HALF.match(check.text, found.end("number")):
            continue  # A figure with a half or a quarter is a rough one.
        if _is_wrong_exit(check, found):
            check.flag(found.start(), found.end(), "figure", "no result has this exit code")
            continue
        if _is_no_figure(check, found, number):
            read.append((found.start(), number))
            continue
        before = check.text[max(0, found.start() - _BEFORE) : found.start()]
        if more := figure_words.OR_MORE.match(check.text, found.end()):
            before = "about " if more[0].endswith("so") else "over "
        if number.dimension == "count" and (
            figure_words.TIMES_SIGN.search(before) or figure_words.TIMES_AFTER.match(check.text, found.end())
        ):
            number = replace(number, dimension="multiple")
        if number.dimension == "multiple" and figure_words.FACTOR_AFTER.match(check.text, found.end()):
            number = replace(number, dimension="count")
        readings = [number, *_other_readings(check, found, comma=comma)]
        after = check.text[found.end() : found.end() + _BEFORE]
        supported = [r for r in readings if _is_supported(check.evidence, r, before, after, durations)]
        if supported:
            read.append((found.start(), supported[-1]))
        else:
            unread.append((found, number, before))
    _check_arithmetic(check, unread, read)


def _check_arithmetic(
    check: Check, unread: Sequence[tuple[re.Match[str], Quantity, str]], read: list[tuple[int, Quantity]]
) -> None:
    """Flag the figures that were not read, if they do not follow from figures of the report that were."""
    accepted: list[tuple[int, Quantity]] = []
    for found, number, before in unread:
        bounds = [_bounds(value, step, before) for value, step in zip(number.values, number.steps, strict=True)]
        figure = Unread(found, number, bounds)
        last = accepted[-1][1] if accepted and accepted[-1][0] >= line_start(check, figure) else None
        if is_calculated(check, figure, read, last):
            accepted.append((found.start(), number))
            insort(read, (found.start(), number), key=lambda entry: entry[0])
        else:
            check.flag(found.start(), found.end(), "figure", "no result has this figure in this unit")


def _other_readings(check: Check, found: re.Match[str], *, comma: bool) -> Iterator[Quantity]:
    """Yield what a number without a unit may mean: 7.98 in 7.98/8.00 GB, or bytes in 512M."""
    written = found["number"]
    if found["unit"] or found["rate"] or found["bytes"]:
        return
    if found["scale"] and found["scale"] in ("k", "K", "M"):
        units = [f"{found['scale']}B", f"{found['scale']}i"]
    else:
        unit = _unit_ahead(check, found.end()) or _unit_behind(check, found.start())
        units = [unit] if unit else []
    for unit in units:
        again = FIGURE.fullmatch(f"{written} {unit.strip()}")
        number = quantity(again, comma=comma) if again else None
        if number:
            yield number


def _unit_ahead(check: Check, at: int) -> str | None:
    """Return the unit of the last number of a chain: 3.97 -> 7.62 -> 16.95 GB."""
    for _ in range(_CHAIN):
        link = figure_words.SAME_UNIT.match(check.text, at)
        following = FIGURE.match(check.text[link.end() : link.end() + _AHEAD]) if link else None
        if link is None or following is None:
            return None
        unit = following["unit"] or following["rate"] or following["scale"] or following["bytes"]
        if unit:
            return str(unit)
        at = link.end() + following.end()
    return None


def _unit_behind(check: Check, at: int) -> str | None:
    """Return the unit of the figure before a number that is compared with it: 25 minutes, down from 36."""
    start = max(check.text.rfind("\n", 0, at) + 1, at - _AHEAD)
    if not figure_words.UNIT_BEHIND.search(check.text, start, at):
        return None
    figures = list(FIGURE.finditer(check.text, start, at))
    return figures[-1]["unit"] if figures else None


def _is_share_read(evidence: ReadEvidence, part: int, whole: int) -> bool:
    """Tell whether a part of a round number is a share that was read: 19 in 1,000 is 1.93 %."""
    half = min(0.5, part * _SLACK_PART)
    low, high = (part - half) / whole, (part + half) / whole
    return evidence.has_number("share", low, high) or evidence.has_number("any", low, high)


def _is_supported(evidence: ReadEvidence, number: Quantity, before: str, after: str, durations: set[int]) -> bool:
    if _is_read(evidence, number, before):
        return True
    if number.dimension == "time" and _is_duration(number, durations, before):
        return True
    exact = number.dimension in ("bytes", "time") and not figure_words.ABOUT.search(before)
    unit = number.values[-1] / number.number if number.number else 1.0
    steps = [min(step, unit) for step in number.steps] if exact and number.number >= 1 else number.steps
    bounds = [_bounds(value, step, before) for value, step in zip(number.values, steps, strict=True)]
    return is_derived(number, bounds, evidence, differs=bool(figure_words.DIFFERS.search(before + "\0" + after)))


def _check_compounds(check: Check, durations: set[int]) -> None:
    """Flag durations in two units, such as 3 h 40 min."""
    for found in COMPOUND.finditer(check.text):
        if not _is_compound(found):
            continue
        check.take(*found.span())
        total, step = compound_seconds([part or "" for part in found.groups()])
        if not check.is_stated(found.start()) or figure_words.AGO.match(check.text, found.end()):
            continue
        low, high = _bounds(total, step, check.text[max(0, found.start() - _BEFORE) : found.start()])
        high += step / 2
        number = Quantity((total,), (step,), "time", 2, total)
        if (
            not check.evidence.has_number("time", low, high)
            and not any(low <= read <= high for read in durations)
            and not is_derived(number, [(low, high)], check.evidence, differs=True)
        ):
            check.flag(*found.span(), "figure", "no result has this duration")
    check.hide()


def _is_percentile(check: Check, found: re.Match[str], number: Quantity) -> bool:
    """Tell whether a share is that of a percentile which the line names: 5 % are slower than the p95."""
    line = check.text[check.text.rfind("\n", 0, found.start()) + 1 : found.start()]
    named = {float(f"{whole}.{part or 0}") for whole, part in figure_words.PERCENTILE.findall(line[-_SAME_SENTENCE:])}
    return any(min(abs(number.number - share), abs(100 - number.number - share)) < 1e-9 for share in named)


def _is_compound(found: re.Match[str]) -> bool:
    """Tell whether the units of a duration become smaller: 72 hours, 9 hours are two durations."""
    return "dhms".index(found["u1"][0].lower()) < "dhms".index(found["u2"][0].lower())


def _is_no_figure(check: Check, found: re.Match[str], number: Quantity) -> bool:
    after = check.text[found.end() : found.end() + 40]
    before = check.text[max(0, found.start() - _BEFORE) : found.start()]
    if number.dimension == "time" and figure_words.AGO.match(after):
        return True
    if _is_objective(check, found, number, after):
        return True
    clause = check.clause(found.start())
    if number.dimension == "share" and (
        figure_words.CERTAINTY.search(check.text, max(0, found.start() - _AHEAD), found.start())
        or (clause and figure_words.CERTAINTY.search(clause.label))
    ):
        return True
    if figure_words.WELL_KNOWN.search(check.text, max(0, found.start() - _AHEAD), found.start()):
        return True
    if figure_words.KNOWN_AFTER.match(after) or figure_words.EACH_MORE.search(before):
        return True
    if figure_words.HTTP_STATUSES.match(found[0]):
        return True
    if (
        number.dimension == "rate"
        and number.number in figure_words.CODES
        and _is_counted(check.evidence, number.number, number.number)
    ):
        return True  # 429/s are answers with this code.
    if number.dimension == "count" and number.number in figure_words.CODES and figure_words.ARTICLE.search(before):
        return True  # A server would answer with a 429.
    if figure_words.PORT.search(before) and number.number in figure_words.PORTS:
        return True
    if number.dimension == "share" and (figure_words.CERTAIN.match(after) or _is_percentile(check, found, number)):
        return True
    over = found["per"] or found["span"]
    if over in figure_words.ESTIMATE_SPANS and figure_words.ABOUT.search(before):
        return True  # An estimate, which the writer calls one.
    if "mio" in (found["unit"] or found["scale"] or "").lower():
        return True  # Mebioctets in French, millions in German.
    if number.dimension != "count":
        return number.number == 0
    if "." in found["number"] and found["number"] in check.evidence.digits:
        return True  # A number such as 20260530.2, as it was read.
    if after[:1] == "%" or number.number in (0, 1) or figure_words.NUMBERED.search(before):
        return True
    if re.match(r"[ ]?[\u3040-\u9fff]", after) and not figure_words.COUNTED.match(after):
        return True
    counted = bool(figure_words.COUNTED.match(after))
    if number.number <= SMALL and number.number.is_integer():
        if figure_words.PART_OF.search(before) and number.number > max(1, check.evidence.longest_list):
            return False
        things = figure_words.THINGS.match(after) and number.number > max(1, check.evidence.longest_list)
        return not counted and not things
    named = figure_words.WORD_BEFORE.search(before)
    if named and any(check.evidence.has_name(f"{named[1]}{sign}{found['number']}") for sign in ("", "-", "_")):
        return True  # Route 53 is route53.
    if figure_words.EXIT_CODE.match(check.text, found.start()):
        return True
    return 1990 <= number.number <= 2100 and not counted and number.number.is_integer()


def _is_objective(check: Check, found: re.Match[str], number: Quantity, after: str) -> bool:
    """Tell whether a figure is the one of a service level objective, or the days of its budget."""
    if number.dimension == "time":
        return number.number in _OBJECTIVE_DAYS and bool(figure_words.BUDGET.match(after))
    is_read = "." in found["number"] and found["number"] in check.evidence.digits
    return number.dimension == "share" and is_read and bool(figure_words.OBJECTIVE.match(after))


def _is_wrong_exit(check: Check, found: re.Match[str]) -> bool:
    """Tell whether an exit code was not read as one."""
    before = check.text[max(0, found.start() - _BEFORE) : found.start()]
    if not found[0].isdigit() or not figure_words.EXIT_BEFORE.search(before):
        return False
    code = re.compile(rf"(?:exit|code|status)\w*\W{{1,6}}(?:code|status|with)?\W{{0,4}}{found[0]}(?!\d)")
    killed = found[0] == "137" and "oom" in check.evidence.text
    return not killed and not code.search(check.evidence.text)


def _is_round(value: float) -> bool:
    """Tell whether a number may be a bound that the writer chose: 5,000 or 250, not 41."""
    digits = f"{value:.6e}".partition("e")[0].replace(".", "").rstrip("0")
    return len(digits) < 2 or (len(digits) == 2 and digits.endswith("5"))


def _has_one_digit(value: float) -> bool:
    return len(f"{value:.6e}".partition("e")[0].replace(".", "").rstrip("0")) < 2


def _bounds(value: float, step: float, before: str) -> tuple[float, float]:
    half = step / 2 + abs(value) * 1e-9
    low, high = value - half, value + half
    if figure_words.ABOUT.search(before):
        slack = max(half, abs(value) * _SLACK_ABOUT)
        low, high = value - slack, value + slack
    if not _is_round(value):
        return low, high
    if figure_words.OVER.search(before):
        high = max(high, value * _SLACK_OVER)
    if figure_words.UNDER.search(before):
        low = min(low, value * (_SLACK_UNDER_ROUND if _has_one_digit(value) else _SLACK_UNDER))
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
        if number.dimension == "share" and value < 0.01:
            scales -= {0.01}  # An unknown number below one is a fraction: 0.412 is 41.2 %, not 0.4 %.
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
