"""The task of every contender: read three pages a round for a number of rounds, then conclude."""

from __future__ import annotations

import re

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.testing.scripts import ScriptedReply, calls, count_replies, says

CALLS = 3
"""Tool calls per round."""

_TASK = re.compile(r"Read (\d+) rounds of (\d+) KiB\.")
_ENVELOPE = 40


def task(run: str, rounds: int, kib: int) -> str:
    """Return the task text. It begins with the run, so no two conversations start with the same text."""
    return f"{run}: Read {rounds} rounds of {kib} KiB."


def script(request: JsonObject) -> ScriptedReply:
    """Reply as the model. The task is read from the conversation, so one server serves every contender."""
    task_text = next(
        found for m in request["messages"] if m["role"] == "user" and (found := _TASK.search(m["content"]))
    )
    rounds, kib = int(task_text[1]), int(task_text[2])
    done = count_replies(request)
    if done == rounds:
        return says("**All read.**")
    return calls(*(("read_page", {"page": f"{done}-{n}", "kib": kib}) for n in range(CALLS)))


def page(name: str, kib: int) -> JsonObject:
    """Return a page whose JSON takes about ``kib`` KiB."""
    return {"page": name, "text": "x" * (kib * 1024 - _ENVELOPE)}


def page_text(name: str, kib: int) -> str:
    """Return a page as the text that the model reads."""
    return canonical_json(page(name, kib)).decode()
