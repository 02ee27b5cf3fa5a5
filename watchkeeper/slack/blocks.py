"""Parts of a Slack message, in which words of alerts, models and people can only be read, and always fit (pure)."""

from __future__ import annotations

import re
from bisect import bisect_right

from watchkeeper.alerts.plain_text import printable, printable_line
from watchkeeper.contracts import JsonObject

SECTION = 3_000
HEADER = 150
FIELD = 2_000
BUTTON = 75
ADDRESS = 3_000
"""Most characters of each; Slack refuses a message with more."""

BLOCKS = 50
"""Most blocks of a message."""

TEXT = 8_000
"""Most characters in all blocks of a message. Slack documents no such limit, but one of 45 blocks and 11,300 characters
was refused, one of 50 and 9,600 taken."""

_NOTE = 40
"""Room to say how much was cut."""

_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+)(?<=\S)\*\*")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+)$", re.MULTILINE)


def escaped(text: str, room: int = SECTION) -> str:
    """Return a text that mentions nobody and leads nowhere, no longer than the room, saying how much is missing."""
    text = printable(text)
    if fitting(text, room) == len(text):
        return _escape(text)
    kept = text[: fitting(text, room - _NOTE)].rstrip()
    return f"{_escape(kept)}… (+{len(text) - len(kept)} characters)"


def fitting(text: str, room: int) -> int:
    """Return how many characters of a text fit once they are escaped."""
    longest = min(len(text), room)
    return bisect_right(range(longest + 1), room, key=lambda length: _units(_escape(text[:length]))) - 1


def as_mrkdwn(markdown: str) -> str:
    """Write Markdown's bold words and headings as Slack does; the rest is the same, or readable as it is."""
    bold = _BOLD.sub(r"*\1*", printable(markdown))
    return _HEADING.sub(lambda heading: f"*{heading[1].replace('*', '').strip()}*", bold)


def header(text: str) -> JsonObject:
    """Make the headline."""
    return {"type": "header", "text": _plain_text(printable_line(text) or "(no title)", HEADER)}


def section(text: str) -> JsonObject:
    """Make a paragraph of a text that is escaped where it is not ours."""
    return {"type": "section", "text": _mrkdwn(text), "expand": True}


def literal(text: str, room: int = SECTION) -> JsonObject:
    """Make a paragraph of a text that shows each of its signs, formats nothing and is not escaped yet."""
    return {"type": "section", "text": _plain_text(text, room), "expand": True}


def facts(named: dict[str, str | None]) -> JsonObject:
    """Make a small table of what is there, in one line each."""
    told = [f"*{name}*\n{escaped(printable_line(value), FIELD // 10)}" for name, value in named.items() if value]
    return {"type": "section", "fields": [_mrkdwn(text) for text in told]}


def context(text: str) -> JsonObject:
    """Make a small line of a text that is escaped where it is not ours."""
    return {"type": "context", "elements": [_mrkdwn(text)]}


def actions(block_id: str, buttons: list[JsonObject]) -> JsonObject:
    """Make a row of buttons."""
    return {"type": "actions", "block_id": block_id, "elements": buttons}


def button(action: str, label: str, **more: str) -> JsonObject:
    """Make a button, with a ``value`` that a press carries or the ``url`` that it opens, and perhaps a ``style``."""
    return {"type": "button", "action_id": action, "text": _plain_text(label, BUTTON), **more}


def is_address(url: str | None) -> bool:
    """Tell whether Slack can open it."""
    return url is not None and url.startswith(("http://", "https://")) and _units(url) <= ADDRESS


def _plain_text(text: str, room: int) -> JsonObject:
    return {"type": "plain_text", "text": escaped(text, room), "emoji": False}


def _mrkdwn(text: str) -> JsonObject:
    # Left to itself, Slack would look for names and channels in it.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _units(text: str) -> int:
    """Measure a text as JavaScript does, which is never less than Slack may."""
    return len(text) + sum(character > "\uffff" for character in text)
