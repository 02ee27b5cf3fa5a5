"""A completion as OpenAI streams it: server-sent events with one delta each, and ``[DONE]`` at the end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from watchkeeper.contracts import JsonObject

ARGUMENTS_CHARACTERS = 12
"""Characters of the arguments in one delta."""

_WORD = re.compile(r"\s*\S+\s*")


def streamed(completion: JsonObject, *, include_usage: bool) -> list[bytes]:
    """Return the events of a completion. A malformed message is streamed as well: what has no text is one delta."""
    choice = completion["choices"][0]
    head = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}

    def chunk(delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        delta_choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return {**head, "choices": [delta_choice], **({"usage": None} if include_usage else {})}

    chunks = [chunk(delta) for delta in _deltas(choice["message"])]
    chunks.append(chunk({}, choice["finish_reason"]))
    if include_usage:
        chunks.append({**head, "choices": [], "usage": completion["usage"]})
    return [event(json.dumps(data)) for data in chunks] + [event("[DONE]")]


def event(data: str) -> bytes:
    """Return a server-sent event."""
    return f"data: {data}\n\n".encode()


def _deltas(message: JsonObject) -> Iterator[JsonObject]:
    texts = {key: message[key] for key in ("reasoning_content", "reasoning", "content") if _is_text(message.get(key))}
    calls = message.get("tool_calls")
    yield {key: value for key, value in message.items() if key not in texts and (key != "tool_calls" or not calls)}
    for key, text in texts.items():
        for word in _WORD.findall(text):
            yield {key: word}
    if isinstance(calls, list):
        for index, call in enumerate(calls):
            for part in _call_parts(call):
                yield {"tool_calls": [{"index": index, **part} if isinstance(part, dict) else part]}
    elif calls:
        yield {"tool_calls": calls}


def _is_text(value: object) -> bool:
    """Tell whether a value can be split into parts that give it again."""
    return isinstance(value, str) and bool(value.strip())


def _call_parts(call: Any) -> Iterator[Any]:
    match call:
        case {"function": {"arguments": str(arguments), **function}, **fields} if arguments:
            yield {**fields, "function": {**function, "arguments": ""}}
            for start in range(0, len(arguments), ARGUMENTS_CHARACTERS):
                yield {"function": {"arguments": arguments[start : start + ARGUMENTS_CHARACTERS]}}
        case _:
            yield call
