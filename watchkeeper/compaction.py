"""Making a conversation smaller: its older rounds become a summary of what was done and found (pure).

Calls are never parted from their results: what is replaced is whole rounds, each an assistant message with everything
up to the next one.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import JsonObject
from watchkeeper.conversation import canonical
from watchkeeper.text import excerpt

_HEAD = "Earlier rounds of this investigation, in short (the full results are no longer shown; ask again if needed):"
_LEFT_OUT = "- (earlier entries are left out)"

OPENING = 2
"""The system prompt and what was asked: never replaced."""

FINDING_BYTES = 300
SUMMARY_SHARE = 4
"""The summary takes at most one part in so many of what may be kept."""


def compact(messages: Sequence[JsonObject], max_bytes: int) -> tuple[list[JsonObject], int]:
    """Keep the opening and the latest rounds within a size; put a summary in the place of the others.

    Returns the messages kept, and how many the summary replaces.
    """
    opening, rounds = _split(messages)
    budget = max_bytes - max_bytes // SUMMARY_SHARE - _size(opening)
    kept: list[list[JsonObject]] = []
    for turn in reversed(rounds):
        if (budget := budget - _size(turn)) < 0:
            break
        kept.insert(0, turn)
    replaced = rounds[: len(rounds) - len(kept)]
    if not replaced:
        return list(messages), 0
    summary = _summary(replaced, max_bytes // SUMMARY_SHARE)
    remaining = [message for turn in kept for message in turn]
    return [*opening, summary, *remaining], sum(map(len, replaced))


def _split(messages: Sequence[JsonObject]) -> tuple[list[JsonObject], list[list[JsonObject]]]:
    rounds: list[list[JsonObject]] = []
    for message in messages[OPENING:]:
        if message["role"] == "assistant" or not rounds:
            rounds.append([])
        rounds[-1].append(message)
    return list(messages[:OPENING]), rounds


def _size(messages: Sequence[JsonObject]) -> int:
    return sum(len(canonical(message)) + 1 for message in messages)


def _summary(rounds: Sequence[Sequence[JsonObject]], max_bytes: int) -> JsonObject:
    """Tell what was done, the latest last; where it is too much, the oldest lines give way."""
    lines = [line for turn in rounds for line in _lines(turn)]
    left = max_bytes - _size([_words([_HEAD, _LEFT_OUT])])
    shown: list[str] = []
    for line in reversed(lines):
        # Encoded, a line has two quotes, and a line break takes as much.
        if (left := left - len(canonical(line))) < 0:
            shown.insert(0, _LEFT_OUT)
            break
        shown.insert(0, line)
    return _words([_HEAD, *shown])


def _words(lines: Sequence[str]) -> JsonObject:
    return {"role": "user", "content": "\n".join(lines)}


def _lines(turn: Sequence[JsonObject]) -> list[str]:
    lines: list[str] = []
    calls: list[JsonObject] = []
    for message in turn:
        content = str(message.get("content") or "")
        if content.startswith(_HEAD):
            lines += content.split("\n")[1:]
            continue
        found = " ".join(excerpt(content, FINDING_BYTES).split())
        if message["role"] == "tool" and calls:
            function = calls.pop(0)["function"]
            lines.append(f"- {function['name']} {excerpt(function['arguments'], FINDING_BYTES)} -> {found}")
            continue
        calls = list(message.get("tool_calls", ()))
        if found:
            lines.append(f"- {'you' if message['role'] == 'assistant' else message['role']}: {found}")
    return lines
