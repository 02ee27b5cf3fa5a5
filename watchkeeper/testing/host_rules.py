"""What single hosts refuse although others accept it, each with the error text of a real host.

A ``ScriptedModel`` with some of these rules plays such a host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.request_refused import RequestRefused

BYTES_PER_TOKEN = 4

_EXTRA = "Extra inputs are not permitted"

HostRule: TypeAlias = Callable[[JsonObject], None]
"""Raises ``RequestRefused`` for a parsed request that the host does not accept."""


def no_forbidden_tools(request: JsonObject) -> None:
    """Refuse tools that the model may not call."""
    if request.get("tool_choice") == "none":
        raise RequestRefused("`tool_choice`: 'none' is not supported: expected 'auto' or 'required'", "tool_choice")


def no_tool_choice(request: JsonObject) -> None:
    """Refuse the field ``tool_choice``."""
    if "tool_choice" in request:
        raise RequestRefused("Unrecognized request argument supplied: tool_choice", "tool_choice")


def no_forced_tools(request: JsonObject) -> None:
    """Refuse to make the model call a tool, as older vLLM and Ollama do."""
    if request.get("tool_choice", "auto") not in ("auto", "none"):
        raise RequestRefused("tool_choice: only 'auto' is supported for this model", "tool_choice")


def no_max_completion_tokens(request: JsonObject) -> None:
    """Refuse the newer field for the limit of a completion, as Mistral does."""
    if "max_completion_tokens" in request:
        field = {"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"], "msg": _EXTRA, "input": 16_000}
        body = {"object": "error", "message": {"detail": [field]}, "type": "invalid_request_error"}
        raise RequestRefused(_EXTRA, "max_completion_tokens", status=422, body=body)


def no_max_tokens(request: JsonObject) -> None:
    """Refuse the older field for the limit of a completion, as OpenAI's reasoning models do."""
    if "max_tokens" in request:
        text = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise RequestRefused(text, "max_tokens", code="unsupported_parameter")


def window(tokens: int, says: str) -> HostRule:
    """Refuse a request whose prompt and completion together exceed the window.

    ``says`` is the error text, in which {prompt}, {limit}, {total} and {window} are replaced.
    """

    def rule(request: JsonObject) -> None:
        prompt = prompt_tokens(request)
        limit = request.get("max_completion_tokens") or request.get("max_tokens") or 0
        if prompt + limit > tokens:
            raise RequestRefused(says.format(prompt=prompt, limit=limit, total=prompt + limit, window=tokens))

    return rule


def completions_of_at_most(tokens: int, says: str) -> HostRule:
    """Refuse a larger limit of a completion for any prompt. ``says`` as in ``window``."""

    def rule(request: JsonObject) -> None:
        limit = request.get("max_completion_tokens") or request.get("max_tokens") or 0
        if limit > tokens:
            raise RequestRefused(says.format(limit=limit, largest=tokens))

    return rule


def prompt_tokens(request: JsonObject) -> int:
    """Return how many tokens these hosts count in the messages and tools of a request."""
    text = json.dumps([request["messages"], request.get("tools")], ensure_ascii=False, separators=(",", ":"))
    return len(text.encode()) // BYTES_PER_TOKEN


def no_stream_field(request: JsonObject) -> None:
    """Refuse the field ``stream``."""
    if "stream" in request:
        raise RequestRefused("Unrecognized request argument supplied: stream", "stream")


def only_streams(request: JsonObject) -> None:
    """Refuse an answer that is not streamed, as Qwen's reasoning models do."""
    if not request.get("stream"):
        text = "This model only support stream mode, please enable the stream parameter to access the model."
        raise RequestRefused(text, code="invalid_parameter_error")


def no_user_after_tool(request: JsonObject) -> None:
    """Refuse a user message straight after a result, as Mistral does."""
    for first, second in pairwise(request["messages"]):
        if (first["role"], second["role"]) == ("tool", "user"):
            text = "Unexpected role 'user' after role 'tool'"
            body = {"object": "error", "message": text, "type": "invalid_request_message_order", "code": "3230"}
            raise RequestRefused(text, body=body)


def alternating_roles(request: JsonObject) -> None:
    """Refuse user messages that follow a result or a user message, as the templates of vLLM and llama.cpp do."""
    for first, second in pairwise(request["messages"]):
        if second["role"] == "user" and first["role"] in ("tool", "user"):
            text = (
                "After the optional system message, conversation roles must alternate "
                "user/assistant/user/assistant/... at row 14, column 93"
            )
            raise RequestRefused(text, status=500)


def no_null_content(request: JsonObject) -> None:
    """Refuse null as content, as hosts do that check requests with a schema."""
    for n, message in enumerate(request["messages"]):
        if message.get("content", "") is None:
            raise RequestRefused(f"Invalid type for 'messages[{n}].content': expected a string, got null instead.")


def no_empty_content(request: JsonObject) -> None:
    """Refuse an empty content next to calls, as Moonshot does."""
    for n, message in enumerate(request["messages"]):
        if message.get("content") == "":
            raise RequestRefused("Invalid request: text content is empty", f"messages[{n}].content")


def no_message_field(name: str) -> HostRule:
    """Refuse a field of messages or of their calls, as Groq does."""

    def rule(request: JsonObject) -> None:
        for n, message in enumerate(request["messages"]):
            if name in message or any(name in call for call in message.get("tool_calls") or ()):
                raise RequestRefused(
                    f"'messages.{n}' : for 'role:assistant' the following must be satisfied[('messages.{n}' : property "
                    f"'{name}' is unsupported)]"
                )

    return rule


def no_added_fields(request: JsonObject) -> None:
    """Refuse every field of messages that OpenAI does not have, without its name."""
    for message in request["messages"]:
        if message.keys() - {"role", "content", "tool_calls", "tool_call_id", "name"}:
            raise RequestRefused("Additional properties are not allowed in 'messages'")


def call_ids(pattern: str, says: str) -> HostRule:
    """Refuse call ids that do not match. In ``says``, {id} is replaced."""

    def rule(request: JsonObject) -> None:
        for message in request["messages"]:
            for call in message.get("tool_calls") or ():
                if not re.fullmatch(pattern, call["id"]):
                    raise RequestRefused(says.format(id=call["id"]))

    return rule


def reasoning_required(request: JsonObject) -> None:
    """Refuse calls without reasoning, as Moonshot does with thinking enabled. It takes an empty text for none."""
    for n, message in enumerate(request["messages"]):
        if message.get("tool_calls") and not message.get("reasoning_content"):
            raise RequestRefused(
                f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {n}"
            )


def signature_required(request: JsonObject) -> None:
    """Refuse calls without a signature of the thought, as Gemini 3 does."""
    for n, message in enumerate(request["messages"]):
        calls = message.get("tool_calls") or ()
        if calls and not calls[0].get("extra_content", {}).get("google", {}).get("thought_signature"):
            raise RequestRefused(
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to "
                f"work correctly, position {n}."
            )


def single_calls(request: JsonObject) -> None:
    """Refuse messages with several calls, as the template of Llama 3 does."""
    if any(len(message.get("tool_calls") or ()) > 1 for message in request["messages"]):
        raise RequestRefused("This model only supports single tool-calls at once!")


def no_system_message(request: JsonObject) -> None:
    """Refuse a system prompt, as the template of Gemma does."""
    if any(message["role"] == "system" for message in request["messages"]):
        raise RequestRefused("System role not supported")
