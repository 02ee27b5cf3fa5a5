"""What a run has read, prepared for look-ups: texts, names, numbers and times (pure)."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from functools import cached_property

from watchkeeper.incident.claim_records import Records, argument_values
from watchkeeper.incident.quantities import compound_seconds, key_hint, read_scales
from watchkeeper.incident.read_times import ReadTimes
from watchkeeper.incident.report_clauses import plain
from watchkeeper.incident.vocabulary.unit_words import PER, Dimension

_CODE_POINT = re.compile(r"\\u([0-9a-fA-F]{4})")
_TOKEN = re.compile(r"[\w$][\w.$@-]*")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_KEYED = re.compile(
    r'(?<![\w.-])([A-Za-z_][\w.-]{0,60})"?\s?[:=]\s?"?(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\.?\d|[\w.:-]*[:-]\d)\s?([A-Za-z\u00b5%/]*)(?![\w.-]*[=:])'
)
_MEASURED = re.compile(r"(?<![\w.:-])(\d[\d,]*(?:\.\d+)?)\s?([A-Za-z\u00b5%][A-Za-z/]{0,12}|/s)")
_UNIT = re.compile(r'"unit"\s?:\s?"([^"]{1,12})"')
_PERSON = re.compile(
    r'"(?:by|\w+_by|author|user|username|login|owner|creator|committer)"\s?:\s?"([\w.-]+)"|^([\w.-]+)(?: \w+)?:',
    re.IGNORECASE,
)
_LISTED = re.compile(r'[\[,]\s?"?(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)"?\s?(?=[\],])')
_WORD_NUMBER = re.compile(r"(?<![\w.:-])(\d[\d,]*(?:\.\d+)?)(?![\w:%-]|[.,]?\d| ?(?:%|[num]?s\b|min\b|[kmg]i?b\b))")
_SHORT_TEXT = 40
"""Characters of an argument that is a name or a value; longer ones are text of the model."""

_PER = re.compile(r"(?<![\w.:-])(\d[\d,]*(?:\.\d+)?) ?[a-z]{0,12} ?(?:per |/)(second|sec|s|minute|min|hour|h)\b")
_PART = re.compile(r"(?<![\w/.:-])(\d{1,12})(?:/| of | out of )(\d{1,12})(?![\w/.-])")
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[t ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?z?)?|(?<![\w:.])\d\d:\d\d:\d\d(?:\.\d+)?(?![\w:])"
)
_COMPOUND = re.compile(r"(?<![\w.])(\d{1,4})([dhm])(\d{1,2})([hms])(?:(\d{1,2})(s))?(?!\w)")
_INCIDENT = re.compile(r"(?:inc|incident|ticket|case|issue|number)[a-z_]{0,20}[\"' #:.=-]{0,6}(\d{2,9})(?!\d)")
_OLDEST_EPOCH = 1e9

KEYED_A_RESULT = 120
"""A result with more numbers than this takes no part in sums and ratios: almost any number would follow from it."""


def unescaped(text: str) -> str:
    """Return a JSON text as a person reads it."""
    if "\\" in text:
        text = _CODE_POINT.sub(lambda found: chr(int(found[1], 16)), text) if "\\u" in text else text
        while "\\\\" in text:
            text = text.replace("\\\\", "\\")
        for escaped, read in (("\\n", " "), ("\\t", " "), ("\\r", " "), ('\\"', '"'), ("\\/", "/")):
            text = text.replace(escaped, read)
    return plain(text)


class ReadEvidence:
    """Everything a report may rely on, indexed once."""

    def __init__(self, records: Records) -> None:
        """Index the records. Of a failed call only its finding counts: an error is quoted, too."""
        self.results = {key: unescaped(text) for key, text in records.results.items()}
        self.words = [unescaped(text) for text in records.words]
        findings = [unescaped(call.finding) for call in records.calls if call.status != "ok"]
        pages = [call.page.incident or "" for call in records.calls if call.page]
        asked = [unescaped(call.arguments) for call in records.calls if records.tools.get(call.name) == "read"]
        asked += [_set(call.arguments) for call in records.calls if call.status == "ok" and not records.woke(call)]
        self._arguments = {call.key: unescaped(call.arguments) for call in records.calls}
        self._texts = [*self.results.values(), *self.words, *findings, *pages, *asked, *records.services]
        self.text = "\n".join(self._texts).casefold()
        self.reported = "\n".join([*self.results.values(), *self.words]).casefold()
        """Without call arguments and failed calls: what results and people say."""
        self._found: dict[str, bool] = {}
        self._reported: dict[str, bool] = {}

    def reports(self, pattern: str) -> bool:
        """Tell whether a result or a message has a pattern. The pattern is in lower case."""
        if pattern not in self._reported:
            self._reported[pattern] = bool(re.search(pattern, self.reported))
        return self._reported[pattern]

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
        return self.authors | {name.lower() for text in self._texts for name, _ in _PERSON.findall(text) if name}

    @cached_property
    def tokens(self) -> set[str]:
        """Every name and number, in lower case, without a point at its end."""
        return {token.rstrip(".-") for token in _TOKEN.findall(self.text)}

    @cached_property
    def digits(self) -> set[str]:
        """Every run of digits, as written, except times."""
        runs = set(_DIGITS.findall(_TIME.sub(" ", self.text)))
        return runs | {run.replace(",", "") for run in runs}

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
                for key, number, unit in [*numbers, *_KEYED.findall(self._arguments.get(name, ""))]:
                    read += [(key, dimension, value) for dimension, value in _meanings(key, float(number), unit)]
                listed = (float(number) for number in _LISTED.findall(text))
                read += [("[]", "any", value) for value in listed if abs(value) < _OLDEST_EPOCH]
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
                    [(key, *meaning) for key, number, unit in row for meaning in _meanings(key, float(number), unit)]
                    for row in rows
                    if len(row) > 1
                ]
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
            measured.update(_MEASURED.findall(text))
            found["any"].update(map(float, set(_LISTED.findall(text))))
            if " per " in text or "/" in text:
                for number, span in set(_PER.findall(text)):
                    found["rate"].add(float(number.replace(",", "")) * PER[span])
            found["share"].update(_share(part, whole) for part, whole in set(_PART.findall(text)))
            found["time"].update(compound_seconds(parts)[0] for parts in set(_COMPOUND.findall(text)))
        scales = {unit: read_scales(unit) for unit in {unit for _, unit in measured}}
        for number, unit in measured:
            for dimension, scale in scales[unit]:
                found[dimension].add(float(number.replace(",", "")) * scale)
        for text in self.words:
            found["any"].update(float(n.replace(",", "")) for n in set(_WORD_NUMBER.findall(text)))
        found["count"].update(float(run) for run in self.digits if run.isdigit() and len(run) < 16)
        return {dimension: sorted(values) for dimension, values in found.items()}

    def has_number(self, dimension: Dimension, low: float, high: float) -> bool:
        """Tell whether a number of this dimension was read between two bounds, both included."""
        values = self.numbers.get(dimension, [])
        at = bisect_left(values, low)
        return at < len(values) and values[at] <= high


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


def _share(part: str, whole: str) -> float:
    """Return the share of 412/1438; 0 if it is none."""
    return int(part) / int(whole) if 0 < int(part) <= int(whole) else 0.0


def _meanings(key: str, value: float, unit: str) -> list[tuple[Dimension, float]]:
    known = read_scales(unit) if unit else []
    if known:
        return [(dimension, abs(value) * scale) for dimension, scale in known]
    # What follows may be the next word of a log line: retry_after=60 host=api.
    hint = key_hint(key, value)
    found: list[tuple[Dimension, float]] = [(hint[0], abs(value) * hint[1])] if hint else [("any", abs(value))]
    if unit:
        found.append(("count", abs(value)))
    return found
