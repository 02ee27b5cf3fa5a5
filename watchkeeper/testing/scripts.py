"""What the scripted model answers: single replies, and the scripts that choose one from the conversation.

A script reads only the request. Retries, crashes and concurrent runs therefore get the same reply.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from watchkeeper.contracts import JsonObject


@dataclass(frozen=True)
class ScriptedReply:
    """One assistant message. The server adds an id to each call that has none."""

    message: JsonObject
    finish_reason: str | None
    exact_echo: bool = True
    """Whether the client must send this message back unchanged. False if it is malformed: the client repairs it."""
    assign_ids: bool = True
    """Whether the server adds an id to calls that have none."""
    usage: JsonObject | None = None
    """Replaces the usage that the server would report."""


Script: TypeAlias = Callable[[JsonObject], ScriptedReply]
"""Chooses the reply to one chat completion request, given as the parsed body."""

ScriptedCall: TypeAlias = tuple[str, JsonObject | str] | tuple[str, JsonObject | str, JsonObject]
"""A tool's name, its arguments (a string is sent unchanged, valid or not), and extra fields of the call."""


class ScriptEnded(Exception):
    """The script has no reply for this conversation."""


def says(text: str, *, finish_reason: str = "stop", **extras: Any) -> ScriptedReply:
    """Answer with text. ``extras`` are further fields of the message, such as ``reasoning_content``."""
    return ScriptedReply({"role": "assistant", "content": text, **extras}, finish_reason)


def calls(
    *tool_calls: ScriptedCall, content: str | None = None, reasoning: str | None = None, **extras: Any
) -> ScriptedReply:
    """Call tools, all in one message. ``reasoning`` is sent as ``reasoning_content``."""
    message: JsonObject = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    message["tool_calls"] = [_call(call) for call in tool_calls]
    well_formed = all(isinstance(call[1], dict) for call in tool_calls)
    return ScriptedReply(message | extras, "tool_calls", exact_echo=well_formed)


def raw(message: JsonObject, finish_reason: str | None = "stop", usage: JsonObject | None = None) -> ScriptedReply:
    """Send exactly this message, even if it is malformed."""
    return ScriptedReply(message, finish_reason, exact_echo=False, assign_ids=False, usage=usage)


def _call(call: ScriptedCall) -> JsonObject:
    name, arguments = call[0], call[1]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments, separators=(",", ":"))
    extras = call[2] if len(call) == 3 else {}
    return {"type": "function", "function": {"name": name, "arguments": text}, **extras}


def in_order(replies: Sequence[ScriptedReply]) -> Script:
    """Give the replies one after the other. The number of replies in the conversation selects the next one."""

    def script(request: JsonObject) -> ScriptedReply:
        position = count_replies(request)
        if position >= len(replies):
            raise ScriptEnded(
                f"the script has {len(replies)} replies, and the conversation already holds {position}: add a reply"
            )
        return replies[position]

    return script


def by_first_message(scripts: Mapping[str, Script | Sequence[ScriptedReply]]) -> Script:
    """Choose the script by a text that the first user message contains."""

    def script(request: JsonObject) -> ScriptedReply:
        first = next((text_of(m) for m in request["messages"] if m["role"] == "user"), "")
        for text, chosen in scripts.items():
            if text in first:
                return chosen(request) if callable(chosen) else in_order(chosen)(request)
        raise ScriptEnded(f"no script matches {first!r}; the scripts are for: {', '.join(map(repr, scripts))}")

    return script


def always(reply: ScriptedReply, *, without_tools: ScriptedReply) -> Script:
    """Give one reply to every request that allows tool calls, another to a request that allows none."""
    return lambda request: reply if allows_calls(request) else without_tools


def allows_calls(request: JsonObject) -> bool:
    """Return whether the model may call a tool."""
    return bool(request.get("tools")) and request.get("tool_choice") != "none"


def count_replies(request: JsonObject) -> int:
    """Count the assistant messages in a conversation."""
    return sum(message["role"] == "assistant" for message in request["messages"])


def text_of(message: JsonObject) -> str:
    """Return the text of a message."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(part["text"] for part in content)
    return content or ""
