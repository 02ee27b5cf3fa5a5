"""What a run has read, prepared for look-ups: texts, names, numbers and times (pure)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property

from watchkeeper.incident.claim_records import Records, argument_values
from watchkeeper.incident.quantities import compound_seconds, key_hint, read_scales, readings
from watchkeeper.incident.read_times import ReadTimes
from watchkeeper.incident.report_clauses import plain
from watchkeeper.incident.vocabulary.unit_words import PER, Dimension

# A pattern that begins with a character, and looks behind it later, is found several times faster.
_CODE_POINT = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOKEN = re.compile(r"[\w$][\w.$@-]*")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_COUNT = re.compile(r"(\d(?<![a-z_].)(?<![a-z]\d.)\d*(?:[.,]\d+)*)(?![a-z]{1,3}\d|[.,]?\d)")
"""A number that is no part of an id such as ``7f9c6d``."""
_KEYED = re.compile(
    r'([A-Za-z_](?<![\w.-].)[\w.-]{0,60})"?\s?[:=]\s?"?(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\.?\d|[\w.:-]*[:-]\d)\s?([A-Za-z\u00b5%/]*)(?![\w.-]*[=:])'
)
_MEASURED = re.compile(r"(\d(?<![\w.:-].)[\d,]*(?:\.\d+)?)\s?([A-Za-z\u00b5%][A-Za-z/]{0,12}|/s)")
_UNIT = re.compile(r'"unit"\s?:\s?"([^"]{1,12})"')
_PERSON = re.compile(
    r'"(?:by|\w+_by|author|user|username|login|owner|creator|committer)"\s?:\s?"([\w.-]+)"|^([\w.-]+)(?: \w+)?:',
    re.IGNORECASE,
)
_LISTED = re.compile(r'[\[,]\s?"?(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"?\s?(?=[\],])')
_WORD_NUMBER = re.compile(r"(\d(?<![\w.:-].)[\d,]*(?:\.\d+)?)(?![\w:%-]|[.,]?\d| ?(?:%|[num]?s\b|min\b|[kmg]i?b\b))")
_LONG = 20_000
"""Characters of a text from which on a time such as 00:09:47 is no duration."""
_SHORT_TEXT = 40
"""Characters of an argument that is a name or a value; longer ones are text of the model."""

_PER = re.compile(r"(\d(?<![\w.:-].)[\d,]*(?:\.\d+)?) ?[a-z]{0,12} ?(?:per |/)(second|sec|s|minute|min|hour|h)\b")
_PART = re.compile(r"(\d(?<![\w/.:-].)\d{0,11})(?:/| of | out of )(\d{1,12})(?![\w/.-])")
_TIME = re.compile(
    r"\d(?:\d{3}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?z?)?|(?<![\w:.].)\d:\d\d:\d\d(?:\.\d+)?(?![\w:]))"
)
_COMPOUND = re.compile(r"(\d(?<![\w.].)\d{0,3})([dhm])(\d{1,2})([hms])(?:(\d{1,2})(s))?(?!\w)")
_SPENT = re.compile(r"(\d(?<![\w.:-].)\d{0,2}):([0-5]\d):([0-5]\d)(?![\w:])")
"""A time without a date, which may be a duration: 00:09:47."""
_INCIDENT = re.compile(r"(?:inc|incident|ticket|case|issue|number)[a-z_]{0,20}[\"' #:.=-]{0,6}(\d{2,9})(?!\d)")
_OLDEST_EPOCH, _LATEST_EPOCH = 1e9, 2.5e9
"""Between them, a number in a list is a time in seconds."""

MOST_LINES, LONGEST_LINE, MOST_OF_A_LINE = 40, 200, 6
"""Texts with more lines, longer lines, and lines with more numbers take no part in sums and ratios."""

MOST_COUNTS = 40
MOST_FRACTIONS = 8

KEYED_A_RESULT = 120
"""A result with more numbers than this takes no part in sums and ratios: almost any number would follow from it."""


def unescaped(text: str) -> str:
    """Return a JSON text as a person reads it."""
    if "\\" in text:
        text = _CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text) if "\\u" in text else text
        while "\\\\" in text:
            text = text.replace("\\\\", "\\")
        for escaped, read in (("\\n", "\n"), ("\\t", " "), ("\\r", " "), ('\\"', '"'), ("\\/", "/")):
            text = text.replace(escaped, read)
    return plain(text)


class ReadEvidence:
    """Everything a report may rely on, indexed once."""

    def __init__(self, records: Records) -> None:
        """Index the records. Of a failed call only its finding counts: an error is quoted, too."""
        self.results = {key: unescaped(text) for key, text in records.results.items()}
        self.tools = {call.key: call.name for call in records.calls}
        self.words = [unescaped(text) for text in records.words]
        findings = [unescaped(call.finding) for call in records.calls if call.status != "ok"]
        pages = [call.page.incident or "" for call in records.calls if call.page]
        asked = [unescaped(call.arguments) for call in records.calls if records.tools.get(call.name) == "read"]
        asked += [_set(call.arguments) for call in records.calls if call.status == "ok" and not records.woke(call)]
        asked += [_set(call.arguments) for call in records.calls if call.status != "ok" and not records.woke(call)]
        self._arguments = {call.key: unescaped(call.arguments) for call in records.calls}
        self._texts = [*self.results.values(), *self.words, *findings, *pages, *asked, *records.services]
        self.text = "\n".join(self._texts).casefold()
        alerts = [text for text in self.words if not (named := _PERSON.match(text)) or not named[2]]
        self.reported = "\n".join([*self.results.values(), *alerts]).casefold()
        self.said = "\n".join(text for text in self.words if text not in alerts).casefold()
        """Without call arguments and failed calls: what results and people say."""
        self._found: dict[str, bool] = {}
        self._reported: dict[str, bool] = {}

    def reports(self, pattern: str) -> bool:
        """Tell whether a result or a message has a pattern. The pattern is in lower case."""
        if pattern not in self._reported:
            self._reported[pattern] = bool(re.search(pattern, self.reported))
        return self._reported[pattern]

    def says(self, done: str) -> bool:
        """Tell whether a person says that something was done. The pattern is a past participle in lower case."""
        return bool(re.search(rf"(?<!not )(?<!never )\b(?:{done})", self.said))

    @cached_property
    def times(self) -> ReadTimes:
        """All times that were read."""
        return ReadTimes(self._texts)

    @cached_property
    def authors(self) -> set[str]:
        """People who wrote a message, in lower case."""
        named = (_PERSON.match(text) for text in self.words)
        return {found[2].lower() for found in named if found and found[2]}

    @cached_property
    def persons(self) -> set[str]:
        """People in results, and authors, in lower case."""
        short = (text for text in self._texts if len(text) <= _LONG)
        return self.authors | {name.lower() for text in short for name, _ in _PERSON.findall(text) if name}

    @cached_property
    def tokens(self) -> set[str]:
        """Every name and number, in lower case, without a point at its end."""
        return {token.rstrip(".-") for token in set(_TOKEN.findall(self.text))}

    @cached_property
    def beginnings(self) -> set[str]:
        """What is before the last hyphen of names with a short end: ``zone-`` of ``zone-a``."""
        ended = (re.fullmatch(r"([a-z][a-z0-9-]*-)[a-z0-9]{1,3}", token) for token in self.tokens)
        dotted = (re.fullmatch(r"([a-z][a-z0-9_]{2,}\.)[a-z][a-z0-9_]{2,}", token) for token in self.tokens)
        return {found[1] for found in (*ended, *dotted) if found}

    @cached_property
    def digits(self) -> set[str]:
        """Every run of digits, as written, except times."""
        runs = set(_DIGITS.findall(self._timeless))
        return runs | {run.replace(",", "") for run in runs}

    @cached_property
    def _timeless(self) -> str:
        return _TIME.sub(" ", self.text)

    @cached_property
    def sequence(self) -> str:
        """All letters and digits in their order, with single spaces for everything else."""
        return " " + re.sub(r"[\W_]+", " ", self.text) + " "

    @cached_property
    def alphanumerics(self) -> set[str]:
        """Every run of letters and digits."""
        return set(self.sequence.split())

    def has_name(self, name: str) -> bool:
        """Tell whether a name occurs, alone or as part of a longer one."""
        name = name.casefold()
        if name in self.tokens:
            return True
        if name not in self._found:
            self._found[name] = name in self.text
        return self._found[name]

    def has_incident(self, written: str, number: str) -> bool:
        """Tell whether the number of an incident occurs, with this prefix or after a word for incidents."""
        return number in self._incidents or (number in self.digits and self.has_name(written))

    @cached_property
    def _incidents(self) -> set[str]:
        return set(_INCIDENT.findall(self.text))

    def has_version(self, version: str) -> bool:
        """Tell whether a version occurs: v2.4.1 as v2.4.1 or 2.4.1, v2.4 also as the beginning of v2.4.1."""
        bare = version.casefold().lstrip("v")
        if not re.fullmatch(r"\d+(?:\.\d+)+", bare):
            return self.has_name(version) if "." in bare else version.casefold() in self.tokens or bare in self.tokens
        return bare in self._version_beginnings

    @cached_property
    def _version_beginnings(self) -> set[str]:
        parts = (run.split(".") for run in self.digits if "." in run)
        return {".".join(run[:length]) for run in parts for length in range(2, len(run) + 1)}

    @cached_property
    def _under_keys(self) -> list[list[tuple[str, str, str]]]:
        """Key, number and unit of the numbers with a key, by text."""
        return [_with_unit(text, _KEYED.findall(text)) for text in self._texts]

    @cached_property
    def keyed(self) -> dict[str, list[tuple[str, Dimension, float]]]:
        """Numbers under a key, by result: name, dimension and value in base units.

        Numbers in lists have the key ``[]``. Each message counts as a result.
        """
        found: dict[str, list[tuple[str, Dimension, float]]] = {}
        names = [*self.results, *(f"message {at}" for at in range(len(self.words)))]
        for name, text, numbers in zip(names, self._texts, self._under_keys, strict=False):
            if len(numbers) <= KEYED_A_RESULT:
                read = found[name] = []
                known = {(key, number) for key, number, _ in numbers}
                asked = [entry for entry in _KEYED.findall(self._arguments.get(name, "")) if entry[:2] not in known]
                for key, number, unit in [*numbers, *asked]:
                    read += [(key, *meaning) for meaning in _first_of_each(_meanings(key, float(number), unit))]
                listed = (float(number) for number in _LISTED.findall(text))
                read += [("[]", "any", value) for value in listed if not _OLDEST_EPOCH <= value < _LATEST_EPOCH]
        return found

    @cached_property
    def totals(self) -> set[float]:
        """The numbers that results call a total or a count."""
        return {
            value
            for numbers in self.keyed.values()
            for key, _, value in numbers
            if key.lower().rpartition("_")[2] in ("total", "count", "hits", "matches")
        }

    @cached_property
    def rows(self) -> dict[str, list[list[tuple[str, Dimension, float]]]]:
        """The numbers of ``keyed`` that are in the same JSON object or log line, by result."""
        found: dict[str, list[list[tuple[str, Dimension, float]]]] = {}
        for name, text in zip(
            [*self.results, *(f"message {at}" for at in range(len(self.words)))], self._texts, strict=False
        ):
            if name in self.keyed:
                rows = (_with_unit(text, _KEYED.findall(row)) for row in re.split(r"[{}]", text))
                found[name] = [
                    [
                        (key, *meaning)
                        for key, number, unit in row
                        for meaning in _first_of_each(_meanings(key, float(number), unit))
                    ]
                    for row in rows
                    if len(row) > 1
                ]
                found[name] += list(_lines(text))
        return found

    @cached_property
    def numbers(self) -> dict[Dimension, list[float]]:
        """All numbers by what they measure, sorted."""
        found: dict[Dimension, set[float]] = defaultdict(set)
        for key, number, unit in {numbers for text in self._under_keys for numbers in text}:
            for dimension, value in _meanings(key, float(number), unit):
                found[dimension].add(value)
        measured: set[tuple[str, str]] = set()
        for text in self._texts:
            here = set(_MEASURED.findall(text))
            measured |= here
            found["any"].update(abs(float(number)) for number in set(_LISTED.findall(text)))
            if " per " in text or "/" in text:
                for number, span in set(_PER.findall(text)):
                    found["rate"].add(float(number.replace(",", "")) * PER[span])
            if "/" in text or " of " in text:
                found["share"].update(_share(part, whole) for part, whole in set(_PART.findall(text)))
            if any(unit in ("d", "h", "m") for _, unit in here):
                found["time"].update(compound_seconds(parts)[0] for parts in set(_COMPOUND.findall(text)))
            if len(text) <= _LONG:
                found["time"].update(_clock_seconds(parts) for parts in set(_SPENT.findall(text)))
        scales = {unit: read_scales(unit) for unit in {unit for _, unit in measured}}
        for number, unit in measured:
            for dimension, scale in scales[unit]:
                found[dimension].add(float(number.replace(",", "")) * scale)
        for text in self.words:
            found["any"].update(float(n.replace(",", "")) for n in set(_WORD_NUMBER.findall(text)))
        counted = set(_COUNT.findall(self._timeless))
        counted |= {run.replace(",", "") for run in counted}
        found["count"].update(float(run) for run in counted if run.isdigit() and len(run) < 16)
        both = [run for run in counted if "," in run and "." in run and len(run) < 24]
        found["count"].update(value for run in both for value, _ in readings(run, comma=True))
        return {dimension: sorted(values) for dimension, values in found.items()}

    @cached_property
    def window_rates(self) -> list[float]:
        """Counts of a result per second of the time that its call asked for: 15,230 events in 30 minutes."""
        rates: list[float] = []
        for name, numbers in self.keyed.items():
            asked = (_meanings(key, float(n), unit) for key, n, unit in _KEYED.findall(self._arguments.get(name, "")))
            spans = [value for meanings in asked for dimension, value in meanings if dimension == "time" and value]
            counts = {value for _, dimension, value in numbers if dimension in ("any", "count")}
            if len(counts) <= MOST_COUNTS:
                rates += [count / span for span in spans for count in counts]
        return rates

    @cached_property
    def row_spans(self) -> list[float]:
        """Seconds from the first to the last time in a JSON object, such as a log pattern."""
        spans: list[float] = []
        for text in self.results.values():
            if text.count("{") <= KEYED_A_RESULT:
                for row in re.split(r"[{}]", text):
                    moments = sorted(ReadTimes([row]).moments) if row.count("T") + row.count("t") > 1 else []
                    if len(moments) > 1:
                        spans.append(float(moments[-1] - moments[0]))
        return spans

    @cached_property
    def fractions(self) -> list[float]:
        """Numbers below one of which the unit is unknown, if they are few: they may be shares."""
        unknown = [value for value in self.numbers.get("any", []) if 0 < value < 1]
        return unknown if len(unknown) <= MOST_FRACTIONS else []

    @cached_property
    def longest_list(self) -> int:
        """The length of the longest list of a result, or its lines: what a reader may have counted."""
        lengths = [0]
        for text in self.results.values():
            lengths += [text.count("\n"), *(part.count("{") for part in re.findall(r"\[([^\[\]]*)\]", text))]
        return max(lengths)

    def times_in(self, text: str) -> list[float]:
        """Return the durations that a text names."""
        measured = [seconds for number, unit in _MEASURED.findall(text) for seconds in _measured(number, unit)]
        times = [value for dimension, value in measured if dimension == "time"]
        return [*times, *(compound_seconds(parts)[0] for parts in _COMPOUND.findall(text))]

    def has_number(self, dimension: Dimension, low: float, high: float) -> bool:
        """Tell whether a number of this dimension was read between two bounds, both included."""
        values = self.numbers.get(dimension, [])
        at = bisect_left(values, low)
        return at < len(values) and values[at] <= high


def _lines(text: str) -> Iterator[list[tuple[str, Dimension, float]]]:
    """Yield the numbers with units of each line of a text, such as a line of ``df``."""
    if text.count("\n") <= MOST_LINES:
        for line in text.split("\n"):
            numbers = _MEASURED.findall(line) if len(line) <= LONGEST_LINE else []
            if 1 < len(numbers) <= MOST_OF_A_LINE:
                read = [_measured(number, unit) for number, unit in numbers]
                yield [("", *scales[0]) for scales in read if scales]
                yield [("", *scales[-1]) for scales in read if scales]


def _measured(number: str, unit: str) -> list[tuple[Dimension, float]]:
    return [(dimension, float(number.replace(",", "")) * scale) for dimension, scale in read_scales(unit)]


def _with_unit(text: str, numbers: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Give the numbers of a result its ``unit``, if it has one and their keys say nothing."""
    units = set(_UNIT.findall(text))
    if len(units) != 1 or not read_scales(unit := units.pop()):
        return numbers
    return [
        (key, number, written or ("" if key_hint(key, float(number)) else unit)) for key, number, written in numbers
    ]


def _set(arguments: str) -> str:
    """Return the names and values with which something was done, without texts that the model wrote."""
    values = argument_values(arguments).items()
    return ", ".join(f"{name}: {value}" for name, value in values if len(value) <= _SHORT_TEXT and " " not in value)


def _clock_seconds(parts: tuple[str, str, str]) -> float:
    """Return the seconds of 00:09:47."""
    return int(parts[0]) * 3_600.0 + int(parts[1]) * 60 + int(parts[2])


def _share(part: str, whole: str) -> float:
    """Return the share of 412/1438; 0 if it is none."""
    return int(part) / int(whole) if 0 < int(part) <= int(whole) else 0.0


def _first_of_each(meanings: list[tuple[Dimension, float]]) -> list[tuple[Dimension, float]]:
    """Keep one meaning of each dimension: sums of decimal and binary sizes make no sense."""
    first: dict[Dimension, tuple[Dimension, float]] = {}
    for meaning in meanings:
        first.setdefault(meaning[0], meaning)
    return list(first.values())


def _meanings(key: str, value: float, unit: str) -> list[tuple[Dimension, float]]:
    known = read_scales(unit) if unit else []
    if known:
        return [(dimension, abs(value) * scale) for dimension, scale in known]
    # What follows may be the next word of a log line: retry_after=60 host=api.
    hint = key_hint(key, value)
    found: list[tuple[Dimension, float]] = [(hint[0], abs(value) * hint[1])] if hint else [("any", abs(value))]
    if unit:
        found.append(("count", abs(value)))
    if hint and hint[0] == "cores":
        found.append(("any", abs(value)))  # A key such as cpu may also have a share or percent.
    return found
