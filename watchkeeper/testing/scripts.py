"""What the scripted model says: turns, and the scripts that choose one from the conversation.

A script looks at the request and at nothing else, so that retries, crashes and concurrent runs get the same answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from watchkeeper.contracts import JsonObject


@dataclass(frozen=True)
class ScriptedReply:
    """One assistant message; calls without an id get theirs from the server."""

    message: JsonObject
    finish_reason: str | None
    sound: bool = True
    """Whether its echo must be exact; a malformed message must be put right before it is sent back."""
    numbered: bool = True
    """Whether the server gives ids to calls that have none."""
    usage: JsonObject | None = None
    """Replaces what the server would report."""


Script: TypeAlias = Callable[[JsonObject], ScriptedReply]
ScriptedCall: TypeAlias = tuple[str, JsonObject | str] | tuple[str, JsonObject | str, JsonObject]
"""A tool's name, its arguments (text is sent as it is, valid or not), fields to stand beside them in the call."""


class ScriptEnded(Exception):
    """The conversation has gone on beyond the last turn of the script."""


def says(text: str, *, finish_reason: str = "stop", **extras: Any) -> ScriptedReply:
    """Answer in words; extras are further fields of the message, such as ``reasoning_content``."""
    return ScriptedReply({"role": "assistant", "content": text, **extras}, finish_reason)


def calls(
    *asked: ScriptedCall, content: str | None = None, reasoning: str | None = None, **extras: Any
) -> ScriptedReply:
    """Call tools, all in one message."""
    message: JsonObject = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    message["tool_calls"] = [_call(call) for call in asked]
    return ScriptedReply(message | extras, "tool_calls", sound=all(isinstance(call[1], dict) for call in asked))


def raw(message: JsonObject, finish_reason: str | None = "stop", usage: JsonObject | None = None) -> ScriptedReply:
    """Send exactly this message, however malformed."""
    return ScriptedReply(message, finish_reason, sound=False, numbered=False, usage=usage)


def _call(asked: ScriptedCall) -> JsonObject:
    name, arguments = asked[0], asked[1]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    beside = asked[2] if len(asked) == 3 else {}
    return {"type": "function", "function": {"name": name, "arguments": text}, **beside}


def in_order(said: Sequence[ScriptedReply]) -> Script:
    """Say one turn after the other; which one is due, the number of replies in the conversation tells."""

    def script(request: JsonObject) -> ScriptedReply:
        due = count_replies(request)
        if due >= len(said):
            raise ScriptEnded(f"the script has {len(said)} turns, and the conversation holds {due} replies already")
        return said[due]

    return script


def by_first_message(scripts: Mapping[str, Script | Sequence[ScriptedReply]]) -> Script:
    """Choose the script by a text that the first words of the user hold."""

    def script(request: JsonObject) -> ScriptedReply:
        opening = next((text_of(m) for m in request["messages"] if m["role"] == "user"), "")
        for text, chosen in scripts.items():
            if text in opening:
                return chosen(request) if callable(chosen) else in_order(chosen)(request)
        raise ScriptEnded(f"no script is for {opening!r}; there are: {', '.join(map(repr, scripts))}")

    return script


def always(turn: ScriptedReply, *, without_tools: ScriptedReply) -> Script:
    """Say one turn as long as tools are offered, another one when they are not."""
    return lambda request: turn if request.get("tools") else without_tools


def count_replies(request: JsonObject) -> int:
    """Count the assistant's messages in a conversation."""
    return sum(message["role"] == "assistant" for message in request["messages"])


def text_of(message: JsonObject) -> str:
    """Return the text of a message."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content or ""
