"""Whether an answer names something that was read: a call, a figure or a name of its result (pure).

Used before a good verdict is believed, so what every text has by chance does not count: zeros, times and dates, the
numbers of calls, digits inside a name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping

from watchkeeper.incident.quantities import readings

_CITATION = re.compile(r"\br\d+\.\d+\b")
_CHANCE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)?|\b\d{1,2}:\d\d(?::\d\d(?:[.,]\d+)?)?\b")
_NUMBER = re.compile(r"(?<![\w.,:/-])\d+(?:[.,']\d+)*(?![\w-]*\d)")
_SCALES = (1, 100, 1e3, 1e-3, 1e6, 1e-6, 1e-9, 1 / 1024, 1 / 1024**2, 1 / 1024**3, 60, 1 / 60)
"""A share as percent, seconds as milliseconds, bytes as MB or MiB, seconds as minutes; and back."""

_SHORTEST_NAME = 4
_LONGEST_NAME = 200


def names_a_result(answer: str, results: Mapping[str, str]) -> bool:
    """Return whether an answer cites a call, or has a figure or a name with a digit of its result.

    ``results``: JSON texts by call key.
    """
    if any(key in results for key in _CITATION.findall(answer)):
        return True
    stated = [reading for number in _numbers(answer) for reading in readings(number) if reading[0]]
    return any(
        _names(leaf, answer) if isinstance(leaf, str) else _states(leaf, stated)
        for result in results.values()
        for leaf in _leaves(result)
    )


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(_CHANCE.sub(" ", _CITATION.sub(" ", text)))


def _states(read: float, stated: list[tuple[float, float]]) -> bool:
    """Return whether a number was read, rounded to the precision in which it is written."""
    if not read or not math.isfinite(read):
        return False
    return any(
        value and abs(abs(read) * scale - value) <= step * 0.5000001 for value, step in stated for scale in _SCALES
    )


def _names(leaf: str, answer: str) -> bool:
    is_name = _SHORTEST_NAME <= len(leaf) <= _LONGEST_NAME and any(map(str.isdigit, leaf))
    return is_name and not _CHANCE.fullmatch(leaf) and leaf in answer


def _leaves(result: str) -> Iterator[str | float]:
    """Yield the strings and numbers of a result. A longer text also yields the numbers written in it."""
    try:
        pending: list[object] = [json.loads(result)]
    except ValueError:
        pending = [result]
    while pending:
        match pending.pop():
            case bool():
                continue
            case dict() as fields:
                pending.extend(value for name, value in fields.items() if name != "call")
            case list() as items:
                pending.extend(items)
            case int() | float() as number:
                yield number
            case str() as text:
                yield text
                yield from (value for written in _numbers(text) for value, _ in readings(written))
            case _:
                continue
