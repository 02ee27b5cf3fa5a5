"""Blocks of a Slack message: text from outside can only be read, and every block fits Slack's limits (pure)."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping

from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from watchkeeper.alerts.plain_text import printable, printable_line

MAX_SECTION = 3_000
MAX_HEADER = 150
MAX_BUTTON = 75
MAX_URL = 3_000
"""Most characters of each; Slack refuses a message with more. slack_sdk raises an error, so texts are cut here."""

_MAX_FACT = 200
"""Most characters of a fact; Slack's limit for a field is 2,000."""

_CUT_NOTE = 40
"""Characters reserved for the note on how much was cut."""

_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+)(?<=\S)\*\*")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+)$", re.MULTILINE)


def escaped(text: str, max_length: int = MAX_SECTION) -> str:
    """Escape text so that it has no mentions and no links, and cut it with a note on how much is missing."""
    text = printable(text)
    if fitting(text, max_length) == len(text):
        return _escape(text)
    kept = text[: fitting(text, max_length - _CUT_NOTE)].rstrip()
    return f"{_escape(kept)}… (+{len(text) - len(kept)} characters)"


def escaped_line(text: str, max_length: int) -> str:
    """Escape text as one line."""
    return escaped(printable_line(text), max_length)


def fitting(text: str, max_length: int) -> int:
    """Return how many characters of a text fit once they are escaped."""
    longest = min(len(text), max_length)
    return bisect_right(range(longest + 1), max_length, key=lambda length: _length(_escape(text[:length]))) - 1


def as_mrkdwn(markdown: str) -> str:
    """Rewrite Markdown's bold text and headings in Slack's mrkdwn. The rest is the same, or readable as it is."""
    bold = _BOLD.sub(r"*\1*", printable(markdown))
    return _HEADING.sub(lambda heading: f"*{heading[1].replace('*', '').strip()}*", bold)


def header(text: str) -> HeaderBlock:
    """Return a header block."""
    return HeaderBlock(text=_plain_text(printable_line(text) or "(no title)", MAX_HEADER))


def section(mrkdwn: str) -> SectionBlock:
    """Return a paragraph. Text from outside in it must be escaped already."""
    return SectionBlock(text=_mrkdwn(mrkdwn), expand=True)


def plain_section(text: str, max_length: int = MAX_SECTION) -> SectionBlock:
    """Return a paragraph without any formatting. The text must not be escaped yet."""
    return SectionBlock(text=_plain_text(text, max_length), expand=True)


def facts(values: Mapping[str, str | None]) -> SectionBlock:
    """Return a table of names and values; names without a value are left out."""
    lines = [f"*{name}*\n{escaped_line(value, _MAX_FACT)}" for name, value in values.items() if value]
    return SectionBlock(fields=[_mrkdwn(line) for line in lines])


def context(mrkdwn: str) -> ContextBlock:
    """Return a line in small type. Text from outside in it must be escaped already."""
    return ContextBlock(elements=[_mrkdwn(mrkdwn)])


def buttons(block_id: str, *elements: ButtonElement) -> ActionsBlock:
    """Return a row of buttons."""
    return ActionsBlock(block_id=block_id, elements=elements)


def button(
    action: str, label: str, *, value: str | None = None, url: str | None = None, style: str | None = None
) -> ButtonElement:
    """Return a button that sends ``value`` or opens ``url``."""
    return ButtonElement(action_id=action, text=_plain_text(label, MAX_BUTTON), value=value, url=url, style=style)


def is_url(text: str | None) -> bool:
    """Tell whether a button can open it."""
    return text is not None and text.startswith(("http://", "https://")) and _length(text) <= MAX_URL


def _plain_text(text: str, max_length: int) -> PlainTextObject:
    return PlainTextObject(text=escaped(text, max_length), emoji=False)


def _mrkdwn(text: str) -> MarkdownTextObject:
    # Without verbatim, Slack turns names and channels in the text into links.
    return MarkdownTextObject(text=text, verbatim=True)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _length(text: str) -> int:
    """Return the length in UTF-16 code units, which is never less than Slack counts."""
    return len(text) + sum(character > "\uffff" for character in text)
