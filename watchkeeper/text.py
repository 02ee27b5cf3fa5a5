"""Text for records and for people: encodable, bounded, and free of control characters (pure)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from html import unescape

_NOT_ENCODABLE = re.compile("[\ud800-\udfff\x00]")
# Log lines and alerts are written by strangers. A terminal obeys escape sequences, bidirectional marks reorder text,
# and a model reads letters that no person sees.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e0fff]"
)

_ENTITY = re.compile(r"&(?:#\w{1,9}|[A-Za-z]\w{1,31});")
_AUTOLINK = re.compile(r"<(https?://[^\s<>]*)>", re.IGNORECASE)
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_IMAGE = re.compile(r"!(?=\[)")
# The target may begin on the next line, behind the mark of a quote.
_TARGET = re.compile(r"\](?=[(:][\s>]*(<[^>\n]*|[^\s)]*))")
_SAFE_TARGET = re.compile(r"[<\s]*(?:https?://|mailto:)|(?![<\s]*[/\\]{2})[^:&\\]*\Z", re.IGNORECASE)
_SCHEME = re.compile(
    r"\b(?:(?:javascript|vbscript)(?=:\S)|file(?=:/)|data(?=:(?:[\w.+-]+/[\w.+-]+)?[;,]))", re.IGNORECASE
)

ERROR_BYTES = 2_000
"""How much of an error's text is kept. Some vendors answer with half a megabyte."""

_MINUTE, _HOUR = 60, 3_600


def clean(text: str) -> str:
    """Replace what UTF-8 cannot encode or databases refuse (lone surrogates, NUL) by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _NOT_ENCODABLE.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def clean_json(value: object) -> object:
    """Clean every string of a JSON value, keys too. NaN and infinities become strings."""
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


def visible(text: str) -> str:
    """Replace the control characters that a terminal would obey by U+FFFD. Newlines and tabs stay."""
    return _CONTROL.sub("\ufffd", text)


def harmless(text: str) -> str:
    """Return Markdown that no viewer takes for HTML, an image or a link to anything but http, https and mailto.

    One space takes the effect: ``< script>``, ``! [image]``, ``[text] (javascript :...)``. So the text reads the same
    in prose and in code, whether a viewer knows Markdown or not. It has no control or bidirectional characters and no
    NUL. The result of a second call is the same. Every renderer of a report uses it.
    """
    text = _ENTITY.sub(_without_control, visible(clean(text).replace("\r\n", "\n")))
    text = _TAG.sub("< ", _AUTOLINK.sub(r"< \1 >", text))
    text = _TARGET.sub(lambda end: "]" if _SAFE_TARGET.match(end[1]) else "] ", _IMAGE.sub("! ", text))
    return _SCHEME.sub(lambda scheme: f"{scheme[0]} ", text)


def _without_control(entity: re.Match[str]) -> str:
    """Replace a character reference that a viewer turns into a control character."""
    character = unescape(entity[0])
    return entity[0] if character and not _CONTROL.search(character) else "\ufffd"


def one_line(text: str, width: int) -> str:
    """Return a text as one visible line of at most ``width`` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def cap(text: str, max_bytes: int) -> tuple[str, int]:
    """Cut a clean text to a size in UTF-8 bytes, between characters. Also return how many bytes were cut."""
    encoded = text.encode()
    if len(encoded) <= max_bytes:
        return text, 0
    kept = encoded[:max_bytes].decode(errors="ignore")
    return kept, len(encoded) - len(kept.encode())


def excerpt(text: str, max_bytes: int) -> str:
    """Return the beginning of a text, cleaned, with the number of bytes that were cut."""
    kept, cut = cap(clean(text), max_bytes)
    return f"{kept}… (+{cut} bytes)" if cut else kept


def shortened(text: str, max_bytes: int) -> str:
    """Return the beginning of a text, cleaned, with only an ellipsis where it was cut."""
    kept, cut = cap(clean(text), max_bytes)
    return f"{kept}…" if cut else kept


def error_text(error: BaseException) -> str:
    """Return an error's type and message, short enough to record."""
    return excerpt(f"{type(error).__name__}: {error}".rstrip(": "), ERROR_BYTES)


def count(number: int, noun: str) -> str:
    """Write a number with its noun: ``1 round``, ``4 rounds``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: int) -> str:
    """Write a number of bytes: ``212 B``, ``1.9 kB``, ``3.1 MB``."""
    if number < 1_000:
        return f"{number} B"
    return f"{number / 1_000:.1f} kB" if number < 1_000_000 else f"{number / 1_000_000:.1f} MB"


def money(dollars: float) -> str:
    """Write US dollars: ``$12.50``, and small amounts more exactly: ``$0.0042``."""
    return f"${dollars:,.2f}" if dollars >= 1 else f"${dollars:.4f}".removesuffix("00")


def duration(seconds: float) -> str:
    """Write a duration: ``45 ms``, ``1.2 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def rough_duration(seconds: float) -> str:
    """Write about how long something took: ``40 s``, ``5 min``, ``3 h``."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < 2 * _HOUR else f"{seconds / _HOUR:.0f} h"


def time_span(seconds: float) -> str:
    """Write a time span of the settings exactly: ``15 minutes``, ``90 seconds``, ``0.5 seconds``."""
    number, unit = (seconds / _MINUTE, "minute") if seconds and seconds % _MINUTE == 0 else (seconds, "second")
    return f"{number:g} {unit}" if number == 1 else f"{number:g} {unit}s"


def utc(seconds: float | None) -> str | None:
    """Write a time, given in Unix seconds: ``2026-11-25 03:12:05 UTC``. Workflow code may not import ``datetime``."""
    if seconds is None:
        return None
    days, rest = divmod(int(seconds), 86_400)
    # The civil calendar from a count of days, with years that begin in March: leap days then come last.
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1_460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month += 3 if month < 10 else -9
    year += 400 * era + (month <= 2)
    return f"{year:04}-{month:02}-{day:02} {rest // 3_600:02}:{rest // 60 % 60:02}:{rest % 60:02} UTC"


_MEMBER = re.compile(r'"([^"\\]*)":')
_BETWEEN = re.compile(r',(?=["{\[])')
_PUNCTUATION = re.compile(r'[{}\[\]"]')
_UNITS = {"seconds": "s", "minutes": "min", "hours": "h", "days": "d"}


def arguments_text(arguments: str) -> str:
    """Write the JSON object of a call's arguments as ``service=checkout minutes=30``. Other text is returned as is."""
    try:
        values = json.loads(arguments)
    except ValueError:
        return arguments
    if not isinstance(values, dict):
        return arguments
    return " ".join(f"{name}={_quoted_if_needed(value)}" for name, value in values.items())


def arguments_summary(arguments: str, parameters: Mapping[str, object], max_bytes: int = 60) -> str:
    """Write the JSON object of a call's arguments in few bytes, harmless: ``checkout "NullPointer" 30 min``.

    ``parameters`` is their JSON schema. A value of an enumeration is written without its name, free text in quotes.
    """
    properties = parameters.get("properties")
    schemas = properties if isinstance(properties, Mapping) else {}
    values: Mapping[str, object] = json.loads(arguments)
    names = [*(name for name in schemas if name in values), *(name for name in values if name not in schemas)]
    parts = (_argument_summary(name, values[name], schemas.get(name)) for name in names)
    return shortened(harmless(" ".join(parts)), max_bytes)


def json_summary(text: str) -> str:
    """Write JSON, which may be cut short, without its punctuation: ``service checkout, status degraded``."""
    members = _MEMBER.sub(r"\1 ", _BETWEEN.sub(", ", text.replace('\\"', "'")))
    return " ".join(_PUNCTUATION.sub("", members).split())


def same_arguments(arguments: str) -> str:
    """Return the JSON of a call's arguments in one canonical form, so that equal arguments compare equal."""
    return json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))


def _quoted_if_needed(value: object) -> str:
    if isinstance(value, str) and value and not re.search(r'[\s"=]', value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _argument_summary(name: str, value: object, schema: object) -> str:
    match value:
        case str() if isinstance(schema, Mapping) and "enum" in schema:
            return value
        case int() | float() if name in _UNITS:
            return f"{value} {_UNITS[name]}"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return f"{name}={json.dumps(value, ensure_ascii=False)}"
