"""Compaction: replace the older rounds of a conversation by a summary of what was done and found (pure).

Only whole rounds are replaced, so a call always stays with its result. A round is an assistant message and all
messages up to the next assistant message.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import excerpt

_SUMMARY_HEADING = (
    "Earlier rounds of this investigation, in short (the full results are no longer shown; ask again if needed):"
)
_OMISSION_LINE = "- (earlier entries are left out)"

OPENING_MESSAGES = 2
"""The system prompt and the first user message. They are never replaced."""

_USER_LINE = "- user: "

FINDING_BYTES = 300
USER_TEXT_BYTES = 2_000
SUMMARY_SHARE = 4
"""The summary takes at most a quarter of the bytes that are kept."""
SUMMARY_BYTES = 256 * 1024
"""Largest summary in bytes."""


def compact(messages: Sequence[JsonObject], max_bytes: int) -> tuple[list[JsonObject], int]:
    """Keep the opening messages and the latest rounds within a size; replace the other rounds by a summary.

    Returns the new messages, and how many messages the summary replaces.
    """
    opening, rounds = _split_rounds(messages)
    budget = max_bytes - max_bytes // SUMMARY_SHARE - _encoded_size(opening)
    kept: list[list[JsonObject]] = []
    for turn in reversed(rounds):
        if (budget := budget - _encoded_size(turn)) < 0:
            break
        kept.insert(0, turn)
    old = rounds[: len(rounds) - len(kept)]
    if not old:
        return list(messages), 0
    summary, count = _summary(old, min(max_bytes // SUMMARY_SHARE, SUMMARY_BYTES)), sum(map(len, old))
    return replace_with_summary(messages, summary, count), count


def replace_with_summary(messages: Sequence[JsonObject], summary: str, count: int) -> list[JsonObject]:
    """Replace the ``count`` messages after the opening messages by a summary."""
    return [*messages[:OPENING_MESSAGES], {"role": "user", "content": summary}, *messages[OPENING_MESSAGES + count :]]


def _split_rounds(messages: Sequence[JsonObject]) -> tuple[list[JsonObject], list[list[JsonObject]]]:
    rounds: list[list[JsonObject]] = []
    for message in messages[OPENING_MESSAGES:]:
        if message["role"] == "assistant" or not rounds:
            rounds.append([])
        rounds[-1].append(message)
    return list(messages[:OPENING_MESSAGES]), rounds


def _encoded_size(messages: Sequence[JsonObject]) -> int:
    return sum(len(canonical_json(message)) + 1 for message in messages)


def _summary(rounds: Sequence[Sequence[JsonObject]], max_bytes: int) -> str:
    """Summarize rounds, oldest first.

    If the summary is too long, the oldest lines are left out first. Lines from people are left out last.
    """
    lines = [line for turn in rounds for line in _summary_lines(turn)]
    from_people = [number for number, line in enumerate(lines) if line.startswith(_USER_LINE)]
    others = [number for number, line in enumerate(lines) if line != _OMISSION_LINE and not line.startswith(_USER_LINE)]
    left = max_bytes - _encoded_size([{"role": "user", "content": f"{_SUMMARY_HEADING}\n{_OMISSION_LINE}\n"}])
    shown: list[int] = []
    for numbers in (from_people, others):
        for number in reversed(numbers):
            # An encoded line has two quotes, which is as long as the line break that joins it.
            if (room := left - len(canonical_json(lines[number]))) < 0:
                break
            left = room
            shown.append(number)
    complete = len(shown) == len(lines)
    return "\n".join(
        [_SUMMARY_HEADING, *([] if complete else [_OMISSION_LINE]), *(lines[number] for number in sorted(shown))]
    )


def _summary_lines(turn: Sequence[JsonObject]) -> list[str]:
    lines: list[str] = []
    calls: list[JsonObject] = []
    for message in turn:
        content = str(message.get("content") or "")
        if content.startswith(_SUMMARY_HEADING):
            lines += content.split("\n")[1:]
            continue
        if message["role"] == "user":
            lines.append(f"{_USER_LINE}{_on_one_line(content, USER_TEXT_BYTES)}")
            continue
        found = _on_one_line(content, FINDING_BYTES)
        if message["role"] == "tool":
            function = calls.pop(0)["function"]
            lines.append(f"- {function['name']} {excerpt(function['arguments'], FINDING_BYTES)} -> {found}")
            continue
        calls = list(message.get("tool_calls", ()))
        if found:
            lines.append(f"- you: {found}")
    return lines


def _on_one_line(text: str, max_bytes: int) -> str:
    return " ".join(excerpt(text, max_bytes).split())
