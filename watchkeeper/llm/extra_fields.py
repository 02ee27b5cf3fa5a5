"""Fields we do not know: kept, because hosts miss them when they do not come back.

Moonshot refuses a conversation without its ``reasoning_content``, Gemini one without its ``thought_signature``.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import clean_json

MAX_DEPTH = 32
"""Levels of nesting that are passed on; every encoder on the way copes with these."""

MAX_FIELD_BYTES = 262_144
"""What one field may take."""


def unknown_fields(fields: Mapping[str, Any], known: Set[str]) -> JsonObject:
    """Return the fields of an object that are not known, fit to be recorded and sent.

    Nulls say nothing and are refused by some hosts; what is nested too deeply or too large is left out.
    """
    kept: JsonObject = {}
    for name, value in fields.items():
        if name in known or value is None or not is_shallow(value):
            continue
        field = clean_json({name: value})
        if isinstance(field, dict) and len(canonical_json(field)) <= MAX_FIELD_BYTES:
            kept |= field
    return kept


def is_shallow(value: object, levels: int = MAX_DEPTH) -> bool:
    """Tell whether a JSON value is nested no deeper than a number of levels."""
    match value:
        case dict():
            return levels > 0 and all(is_shallow(item, levels - 1) for item in value.values())
        case list():
            return levels > 0 and all(is_shallow(item, levels - 1) for item in value)
        case _:
            return True
