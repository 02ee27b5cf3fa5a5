"""Questions about a recorded call that changes something, written as its tool's name and its arguments (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from watchkeeper.incident.vocabulary.action_words import CONTACT

_MESSAGE = f"{CONTACT.call}|post|send|comment|report"
"""Tools that only say something."""


def names_part(act: str, parts: Iterable[str]) -> bool:
    """Tell whether a call has one of the parts; the name of a deployment is no evidence that it was deployed."""
    return any(re.search(rf"{re.escape(part)}(?!men)", act) for part in parts)


def only_says(act: str) -> bool:
    """Tell whether a call only says something."""
    return bool(re.search(_MESSAGE, act.split()[0]))


def near_each_other(stem: str, thing: str) -> str:
    """Return a pattern for a verb near a thing, in any order."""
    one, other = re.escape(stem), re.escape(thing.split()[0].rstrip("s")[:6])
    return f"{one}[^\\n]{{0,120}}?{other}|{other}[^\\n]{{0,120}}?{one}"
