"""What every contender is given to do: read three pages a round, so many rounds, then conclude."""

from __future__ import annotations

import re

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.testing.scripts import ScriptedReply, calls, count_replies, says

CALLS = 3
"""Tool calls of a round."""

_TASK = re.compile(r"Read (\d+) rounds of (\d+) KiB\.")
_ENVELOPE = 40


def task(run: str, rounds: int, kib: int) -> str:
    """Ask for so many rounds of calls whose results are so large each; no two runs begin with the same words."""
    return f"{run}: Read {rounds} rounds of {kib} KiB."


def script(request: JsonObject) -> ScriptedReply:
    """Play the model: it reads its task in the conversation, so one server serves every contender."""
    asked = next(found for m in request["messages"] if m["role"] == "user" and (found := _TASK.search(m["content"])))
    rounds, kib = int(asked[1]), int(asked[2])
    done = count_replies(request)
    if done == rounds:
        return says("**All read.**")
    return calls(*(("read_page", {"page": f"{done}-{n}", "kib": kib}) for n in range(CALLS)))


def page(name: str, kib: int) -> JsonObject:
    """Make a page; written as JSON it takes about so many KiB."""
    return {"page": name, "text": "x" * (kib * 1024 - _ENVELOPE)}


def page_text(name: str, kib: int) -> str:
    """Make a page as the model reads it."""
    return canonical_json(page(name, kib)).decode()
