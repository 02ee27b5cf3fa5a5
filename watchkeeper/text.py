"""Text fit to be recorded and sent: encodable, and no larger than it may be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

_UNSENDABLE = re.compile("[\ud800-\udfff\x00]")
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)

ERROR_BYTES = 2_000
"""How much of an error's text is kept; a vendor's message can be half a megabyte long."""


def clean(text: str) -> str:
    """Replace what UTF-8 cannot encode or databases refuse (lone surrogates, NUL) by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _UNSENDABLE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def clean_json(value: object) -> object:
    """Clean every string of a JSON value, keys too; numbers that JSON cannot write become their names."""
    match value:
        case str():
            return clean(value)
        case float() if not math.isfinite(value):
            return str(value)
        case Mapping():
            return {clean(str(key)): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case _:
            return value


def without_thought(text: str) -> str:
    """Return a reply without the thought at its beginning that its host did not take out."""
    return _THOUGHT.sub("", text)


def cap(text: str, max_bytes: int) -> tuple[str, int]:
    """Cut a clean text to a size in UTF-8 bytes, between characters; also return how many bytes were cut."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text, 0
    kept = encoded[:max_bytes].decode(errors="ignore")
    return kept, len(encoded) - len(kept.encode())


def excerpt(text: str, max_bytes: int) -> str:
    """Return the beginning of a text, cleaned, saying how much is missing."""
    kept, cut = cap(clean(text), max_bytes)
    return f"{kept}… (+{cut} bytes)" if cut else kept


def utc(seconds: float | None) -> str | None:
    """Write a moment, given in Unix seconds, for people and models: ``2026-11-25 03:12:05 UTC``."""
    if seconds is None:
        return None
    days, rest = divmod(int(seconds), 86_400)
    # The civil calendar from a count of days, by years that begin in March: leap days then come last.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += 400 * era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02} {rest // 3_600:02}:{rest // 60 % 60:02}:{rest % 60:02} UTC"


def error_text(error: BaseException) -> str:
    """Return what an error says, with its type, fit to be recorded."""
    return excerpt(f"{type(error).__name__}: {error}".rstrip(": "), ERROR_BYTES)


_MEMBER = re.compile(r'"([^"\\]*)":')
_BETWEEN = re.compile(r',(?=["{\[])')
_PUNCTUATION = re.compile(r'[{}\[\]"]')
_UNITS = {"seconds": "s", "minutes": "min", "hours": "h", "days": "d"}


def arguments_in_words(arguments: str, parameters: Mapping[str, object], max_bytes: int = 60) -> str:
    """Write the JSON object of a call's arguments for people: ``checkout "NullPointer" 30 min``.

    ``parameters`` is their JSON schema: what is one of its names stands for itself, and free text in quotes.
    """
    properties = parameters.get("properties")
    schemas = properties if isinstance(properties, Mapping) else {}
    given: Mapping[str, object] = json.loads(arguments)
    names = [*(name for name in schemas if name in given), *(name for name in given if name not in schemas)]
    return shortened(" ".join(_in_words(name, given[name], schemas.get(name)) for name in names), max_bytes)


def json_in_words(text: str) -> str:
    """Write the beginning of some JSON for people, wherever it was cut: ``service checkout, status degraded``."""
    named = _MEMBER.sub(r"\1 ", _BETWEEN.sub(", ", text.replace('\\"', "'")))
    return " ".join(_PUNCTUATION.sub("", named).split())


def shortened(text: str, max_bytes: int) -> str:
    """Return the beginning of a text where there is no room to say how much is missing."""
    kept, cut = cap(clean(text), max_bytes)
    return f"{kept}…" if cut else kept


def _in_words(name: str, value: object, schema: object) -> str:
    match value:
        case str() if isinstance(schema, Mapping) and "enum" in schema:
            return value
        case int() | float() if name in _UNITS:
            return f"{value} {_UNITS[name]}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return f"{name}={json.dumps(value, ensure_ascii=False)}"


def same_arguments(arguments: str) -> str:
    """Write the JSON of a call's arguments so that what means the same is the same, whatever its spaces and order."""
    return json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))
