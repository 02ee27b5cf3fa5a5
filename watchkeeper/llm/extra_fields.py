"""Unknown fields of a model's message. They are kept, because some hosts require them in later requests.

Moonshot refuses a conversation without ``reasoning_content``, Gemini one without ``thought_signature``.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import clean_json

MAX_DEPTH = 32
"""Deepest nesting that is kept; every encoder that the message passes can handle it."""

MAX_FIELD_BYTES = 262_144
"""Largest field that is kept."""


def unknown_fields(fields: Mapping[str, Any], known: Set[str]) -> JsonObject:
    """Return the fields of an object that are not in ``known``, cleaned so that they can be recorded and sent.

    Leaves out null, which some hosts refuse, and fields that are nested too deeply or too large.
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
    """Return whether a JSON value has at most ``levels`` levels of nesting."""
    match value:
        case dict():
            return levels > 0 and all(is_shallow(item, levels - 1) for item in value.values())
        case list():
            return levels > 0 and all(is_shallow(item, levels - 1) for item in value)
        case _:
            return True
