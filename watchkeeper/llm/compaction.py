"""Compaction: replace the older rounds of a conversation by a summary of what was done and found (pure).

Only whole rounds are replaced, so a call always stays with its result. A round is an assistant message and all
messages up to the next assistant message.

Histories do not record a summary, since this code can write it again from what they record. After a change here, a
worker that rebuilds the conversation of an open run shows the model the summary of the new code.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from watchkeeper.contracts import CallRecord, JsonObject
from watchkeeper.llm.conversation import canonical_json, with_call_key
from watchkeeper.text import excerpt, shortened

_SUMMARY_HEADING = (
    "Earlier rounds of this investigation, in short (the full results are no longer shown; ask again if needed):"
)
_OMISSION = "- (earlier entries are left out"
_OMITTED_CALLS = re.compile(r"(\d{1,9}) ([\w.-]+)")
_CALL_LINE = re.compile(r"- ([\w.-]+) ")
_OTHERS = "others"

OPENING_MESSAGES = 2
"""The system prompt and the first user message. They are never replaced."""

_USER_LINE = "- user: "

FINDING_BYTES = 300
USER_TEXT_BYTES = 2_000
SUMMARY_SHARE = 4
"""The summary takes at most a quarter of the bytes that are kept."""
SUMMARY_BYTES = 24 * 1024
"""Largest summary in bytes. The latest lines take at most half of it; older ones are shortened, the oldest counted."""
SHORT_LINE_BYTES = 120
MAX_COUNTED_TOOLS = 12


def compact(messages: Sequence[JsonObject], max_bytes: int) -> tuple[list[JsonObject], int]:
    """Keep the opening messages and the latest rounds within a size; replace the other rounds by a summary.

    Returns the new messages, and how many messages the summary replaces.
    """
    opening, rounds = _split_rounds(messages)
    summary_bytes = min(max_bytes // SUMMARY_SHARE, SUMMARY_BYTES)
    budget = max_bytes - summary_bytes - _encoded_size(opening)
    kept: list[list[JsonObject]] = []
    for turn in reversed(rounds):
        if (budget := budget - _encoded_size(turn)) < 0:
            break
        kept.insert(0, turn)
    old = rounds[: len(rounds) - len(kept)]
    if not old:
        return list(messages), 0
    lines = [line for turn in old for line in _summary_lines(turn)]
    count = sum(map(len, old))
    return replace_with_summary(messages, _summary(lines, summary_bytes), count), count


def split_head(messages: Sequence[JsonObject]) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the opening messages with the summary of older rounds, if there is one, and the rounds after them."""
    size = OPENING_MESSAGES
    if messages[size:] and _is_summary(messages[size]):
        size += 1
    return list(messages[:size]), list(messages[size:])


def conversation_from_records(
    opening: Sequence[JsonObject], texts: Iterable[str], calls: Iterable[CallRecord]
) -> list[JsonObject]:
    """Return what is known of a conversation whose messages are deleted: its opening, and a summary from records.

    ``texts`` are messages that the model has read, from people or from the run; ``calls`` the latest calls.
    """
    told = [f"{_USER_LINE}{_on_one_line(text, USER_TEXT_BYTES)}" for text in texts]
    done = [
        _call_line(call.name, call.arguments, _on_one_line(with_call_key(call.finding, call.key), FINDING_BYTES))
        for call in calls
    ]
    summary = _summary([_omission_line(Counter()), *told, *done], SUMMARY_BYTES)
    return replace_with_summary(opening, summary, 0)


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


def _summary(lines: Sequence[str], max_bytes: int) -> str:
    """Summarize rounds by their lines, oldest first.

    If the summary is too long, older lines are shortened, and the oldest are only counted. Lines from people stay whole
    and are left out last.
    """
    lines, counted = _take_omissions(lines)
    from_people = [number for number, line in enumerate(lines) if line.startswith(_USER_LINE)]
    others = [number for number, line in enumerate(lines) if not line.startswith(_USER_LINE)]
    # The line about what is left out is longest if everything is.
    longest = _omission_line((counted or Counter()) + _calls(lines))
    left = max_bytes - _encoded_size([{"role": "user", "content": f"{_SUMMARY_HEADING}\n{longest}\n"}])
    shown: dict[int, str] = {}
    for number in reversed(from_people):
        if (room := left - _line_size(lines[number])) < 0:
            break
        left = room
        shown[number] = lines[number]
    whole_until = left // 2
    for number in reversed(others):
        line = lines[number] if left > whole_until else shortened(lines[number], SHORT_LINE_BYTES)
        if (room := left - _line_size(line)) < 0:
            break
        left = room
        shown[number] = line
    if counted is not None or len(shown) < len(lines):
        missing = _calls(line for number, line in enumerate(lines) if number not in shown)
        heading = [_SUMMARY_HEADING, _omission_line((counted or Counter()) + missing)]
    else:
        heading = [_SUMMARY_HEADING]
    return "\n".join([*heading, *(shown[number] for number in sorted(shown))])


def _take_omissions(lines: Sequence[str]) -> tuple[list[str], Counter[str] | None]:
    """Return the other lines, and the calls that earlier summaries counted; None if those left nothing out."""
    omissions = [line for line in lines if line.startswith(_OMISSION)]
    if not omissions:
        return list(lines), None
    counted: Counter[str] = Counter()
    for number, name in _OMITTED_CALLS.findall(" ".join(omissions)):
        counted[name] += int(number)
    return [line for line in lines if not line.startswith(_OMISSION)], counted


def _calls(lines: Iterable[str]) -> Counter[str]:
    """Count the calls in lines of a summary by tool."""
    return Counter(found[1] for line in lines if (found := _CALL_LINE.match(line)))


def _omission_line(calls: Counter[str]) -> str:
    named = [(name, number) for name, number in calls.most_common() if name != _OTHERS]
    rest = calls[_OTHERS] + sum(number for _, number in named[MAX_COUNTED_TOOLS:])
    counts = [*named[:MAX_COUNTED_TOOLS], *([(_OTHERS, rest)] if rest else [])]
    listed = ", ".join(f"{number} {name}" for name, number in counts)
    return f"{_OMISSION}: {listed})" if listed else f"{_OMISSION})"


def _line_size(line: str) -> int:
    # An encoded line has two quotes, which is as long as the line break that joins it.
    return len(canonical_json(line))


def _is_summary(message: JsonObject) -> bool:
    return message["role"] == "user" and str(message.get("content") or "").startswith(_SUMMARY_HEADING)


def _summary_lines(turn: Sequence[JsonObject]) -> list[str]:
    lines: list[str] = []
    calls: list[JsonObject] = []
    for message in turn:
        content = str(message.get("content") or "")
        if _is_summary(message):
            lines += content.split("\n")[1:]
            continue
        if message["role"] == "user":
            lines.append(f"{_USER_LINE}{_on_one_line(content, USER_TEXT_BYTES)}")
            continue
        found = _on_one_line(content, FINDING_BYTES)
        if message["role"] == "tool":
            function = calls.pop(0)["function"]
            lines.append(_call_line(function["name"], function["arguments"], found))
            continue
        calls = list(message.get("tool_calls", ()))
        if found:
            lines.append(f"- you: {found}")
    return lines


def _call_line(name: str, arguments: str, found: str) -> str:
    return f"- {name} {excerpt(arguments, FINDING_BYTES)} -> {found}"


def _on_one_line(text: str, max_bytes: int) -> str:
    return " ".join(excerpt(text, max_bytes).split())
