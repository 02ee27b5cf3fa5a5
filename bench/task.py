"""The task of every contender: read three pages a round for a number of rounds, then conclude."""

from __future__ import annotations

import re

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.testing.scripts import ScriptedReply, calls, count_replies, says

CALLS = 3
"""Tool calls per round."""

OPEN_CALLS = 1
"""Tool calls per round of a run that stays open: it is measured when it has concluded."""

_TASK = re.compile(r"Read (\d+) rounds of (\d+) pages of (\d+) KiB\.")
_ENVELOPE = 40


def task(run: str, rounds: int, kib: int, stays_open: bool = False) -> str:
    """Return the task text. It begins with the run, so no two conversations start with the same text."""
    return f"{run}: Read {rounds} rounds of {calls_per_round(stays_open)} pages of {kib} KiB."


def calls_per_round(stays_open: bool) -> int:
    """Return the number of tool calls per round."""
    return OPEN_CALLS if stays_open else CALLS


def script(request: JsonObject) -> ScriptedReply:
    """Reply as the model. The task is read from the conversation, so one server serves every contender."""
    task_text = next(
        found for m in request["messages"] if m["role"] == "user" and (found := _TASK.search(m["content"]))
    )
    rounds, pages, kib = (int(number) for number in task_text.groups())
    done = count_replies(request)
    if done >= rounds:
        return says("**Cause:** none, all pages are read.\n\nVerdict: diagnosed")
    return calls(*(("read_page", {"page": f"{done}-{n}", "kib": kib}) for n in range(pages)))


def page(name: str, kib: int) -> JsonObject:
    """Return a page whose JSON takes about ``kib`` KiB."""
    return {"page": name, "text": "x" * (kib * 1024 - _ENVELOPE)}


def page_text(name: str, kib: int) -> str:
    """Return a page as the text that the model reads."""
    return canonical_json(page(name, kib)).decode()
