"""Figures with units: what they measure, in one base unit for each dimension (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.incident.vocabulary import unit_words
from watchkeeper.incident.vocabulary.unit_words import Dimension


@dataclass(frozen=True)
class Quantity:
    """A number as written, in its dimension."""

    values: tuple[float, ...]
    """What the number may mean, in base units: 4.200 is 4.2 or 4,200."""
    steps: tuple[float, ...]
    """Precision of each value: the worth of its last digit, in base units."""
    dimension: Dimension
    digits: int
    """Significant digits."""
    number: float
    """The number as written, without unit."""


def decimal_comma(text: str) -> bool:
    """Tell whether a text may write 18,2 for 18.2 and 4.200 for 4,200."""
    return bool(unit_words.DECIMAL_COMMA.search(text)) or len(unit_words.COMMA_LANGUAGE.findall(text)) > _FEW_WORDS


_FEW_WORDS = 2


def readings(number: str, *, comma: bool = False) -> list[tuple[float, float]]:
    """Return what a written number may mean, each with the worth of its last digit.

    ``comma``: the text may have decimal commas.
    """
    bare = number.replace(" ", "").replace("'", "")
    found: list[tuple[float, float]] = []
    separators = set(re.findall(r"[,.' ]", number))
    if unit_words.GROUPS.fullmatch(number) and len(separators) == 1 and (comma or separators != {"."}):
        whole = int(re.sub(r"\D", "", number))
        found.append((float(whole), _last_digit(whole)))
        if bare.count(",") + bare.count(".") != 1 or not comma:
            return found
    exponent = re.search(r"[eE](-?\d{1,3})$", bare)
    power = 10.0 ** min(300, max(-300, int(exponent[1]))) if exponent else 1.0
    bare = bare[: exponent.start()] if exponent else bare
    whole_part, decimals = bare, ""
    point = max(bare.rfind("."), bare.rfind(","))
    if point >= 0:
        whole_part, decimals = re.sub(r"\D", "", bare[:point]), bare[point + 1 :]
    if decimals:
        found.append((float(f"{whole_part}.{decimals}") * power, 10.0 ** -len(decimals) * power))
    elif len(whole_part) <= 300:
        found.append((float(whole_part) * power, _last_digit(int(whole_part)) * power))
    return found


def _last_digit(whole: int) -> float:
    """Return the worth of the last digit that may be exact: trailing zeros after the second digit may be rounded."""
    text = str(whole)
    zeros = len(text) - len(text.rstrip("0"))
    return 10.0 ** max(0, min(zeros, len(text) - 2)) if whole else 1.0


def quantity(found: re.Match[str], *, comma: bool = False) -> Quantity | None:
    """Return the quantity of a match of ``FIGURE``; None if the number is part of a name, such as ``5xx``."""
    after = found.string[found.end() : found.end() + 1]
    if not (found["unit"] or found["rate"] or found["bytes"]) and re.match(r"[A-Za-z0-9_]", after):
        return None
    dimension, scales = _unit(found)
    scale = unit_words.SCALES[found["scale"].strip(" .").lower()] if found["scale"] else 1.0
    read = [(value * scale, step * scale) for value, step in readings(found["number"], comma=comma)]
    if not read:
        return None
    pairs = [(value * unit, step * unit) for value, step in read for unit in scales]
    digits = len(re.sub(r"\D", "", found["number"]).lstrip("0")) or 1
    return Quantity(tuple(p[0] for p in pairs), tuple(p[1] for p in pairs), dimension, digits, read[-1][0])


def compound_seconds(parts: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of a duration in several units, and the worth of the last one: 3, h, 40, min is 13,200."""
    total, step = 0.0, 1.0
    for number, unit in zip(parts[::2], parts[1::2], strict=True):
        if number:
            step = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}[unit[0].lower()]
            total += (_whole(number)) * step
    return total, step


def _whole(written: str) -> int:
    if written.lower() in ("a", "an"):
        return 1
    return unit_words.WORD_NUMBERS.get(written.lower()) or int(written)


def _unit(found: re.Match[str]) -> tuple[Dimension, list[float]]:
    if found["bytes"]:
        per = unit_words.PER.get(found["span"].lower(), 1.0)
        scales = unit_scales(found["bytes"])
        return "bandwidth", [scale * per for scale in (scales[1] if scales else [1.0])]
    if found["rate"]:
        return "rate", [unit_words.PER.get(found["per"].lower(), 1.0)]
    if not found["unit"]:
        return "count", [1.0]
    return unit_scales(found["unit"]) or ("count", [1.0])


def unit_scales(unit: str) -> tuple[Dimension, list[float]] | None:
    """Return the dimension of a unit and its size in base units, or None for another word.

    MB is used for both a million bytes and 2^20 bytes.
    """
    known = unit_words.UNITS.get(unit.lower().replace(" ", "_"))
    if unit in ("G", "T"):
        return "bytes", [scale for _, scale in unit_words.LETTERS[unit]]
    if unit == "B":
        known = ("bytes", 1.0)
    if known is None:
        return None
    dimension, scale = known
    if dimension == "bytes" and scale in unit_words.BINARY:
        return dimension, [scale, unit_words.BINARY[scale]]
    return dimension, [scale]


def read_scales(unit: str) -> list[tuple[Dimension, float]]:
    """Return what a unit in a result may mean, each with its size in base units; empty for another word.

    Results use one-letter units: 5m is five minutes or five thousandths of a core, 412G are gigabytes.
    """
    if unit in unit_words.LETTERS:
        return unit_words.LETTERS[unit]
    amount, _, span = unit.partition("/")
    if span and amount and (known := unit_scales(amount)) and known[0] == "bytes":
        return [("bandwidth", scale * unit_words.PER.get(span.lower(), 1.0)) for scale in known[1]]
    known = unit_scales(unit)
    return [(known[0], scale) for scale in known[1]] if known else []


def key_hint(key: str, value: float) -> tuple[Dimension, float] | None:
    """Return what a number under this key measures, and its unit; None if the key does not say."""
    parts = [part.lower() for part in unit_words.KEY_PARTS.findall(key)]
    if len(parts) > 1 and parts[-1] in ("s", "sec"):
        size = unit_scales(parts[-2])
        if size and size[0] == "bytes":
            return "bandwidth", size[1][0]
        if parts[-2] in _EVENTS:
            return "rate", 1.0
    if "per" in parts[:-1]:
        at = parts.index("per")
        per = unit_words.PER.get(parts[at + 1].rstrip("s") or "s")
        size = unit_scales(parts[at - 1]) if at else None
        if per and size and size[0] == "bytes":
            return "bandwidth", per * size[1][0]
        if per:
            return "rate", per
    if parts and parts[-1] in _SHARES and value <= 1:
        return ("share", 1.0) if value not in (0, 1) else None
    if parts and parts[-1] == "rate" and unit_words.SHARED & set(parts):
        return ("share", 1.0) if value <= 1 else ("share", 0.01)
    for part in [*(part for part in parts if part in _PERCENT), *reversed(parts)]:
        if part in unit_words.HINTS:
            return unit_words.HINTS[part]
    return None


_EVENTS = ("req", "reqs", "requests", "ops", "msgs", "messages", "events", "errors", "queries")
_PERCENT = ("percent", "percentage", "pct")
_SHARES = ("error", "success", "availability", "utilization", "utilisation", "saturation")
