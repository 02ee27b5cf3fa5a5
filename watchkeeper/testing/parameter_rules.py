"""The rules that the strictest OpenAI-compatible hosts apply to a request, except to its messages and tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.request_refused import RequestRefused

_PARAMETERS = {
    *(
        "model",
        "messages",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "stream",
        "stream_options",
        "n",
        "stop",
        "seed",
        "user",
    ),
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "max_tokens", "max_completion_tokens"),
    *("response_format", "logprobs", "reasoning_effort", "thinking", "chat_template_kwargs", "prompt_cache_key"),
    *("safety_identifier", "service_tier", "metadata", "store"),
}
_FIXED = {"temperature": 1, "top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
"""The only values that Kimi K2.6 accepts with thinking on; any other value is answered with 400."""


def read_request(body: bytes) -> JsonObject:
    """Parse the body of a chat completion request."""
    try:
        request = json.loads(body.decode(), parse_constant=no_constant)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(f"We could not parse the JSON body of your request: {error}") from None
    if not isinstance(request, dict):
        raise RequestRefused("We could not parse the JSON body of your request: expected an object")
    _check_encodable(request)
    return request


def check_parameters(request: JsonObject, *, thinking: bool) -> None:
    """Check a request except its messages and tools.

    ``thinking``: apply the rules of Moonshot's own host, where no tool can be forced and the sampling is fixed.
    """
    for name in request.keys() - _PARAMETERS:
        raise RequestRefused(f"Unrecognized request argument supplied: {name}", name)
    if not isinstance(request.get("model"), str) or not request["model"].strip():
        raise RequestRefused("you must provide a model parameter", "model")
    _check_stream(request)
    if request.get("n", 1) != 1:
        raise RequestRefused("invalid n: only 1 is allowed for this model", "n")
    for name in ("max_tokens", "max_completion_tokens"):
        cap = request.get(name, 1)
        if not isinstance(cap, int) or isinstance(cap, bool) or cap < 1:
            raise RequestRefused(f"Invalid '{name}': integer above 0 expected, got {cap!r}", name)
    _check_choice(request)
    if thinking:
        _check_thinking(request)


def _check_stream(request: JsonObject) -> None:
    if not isinstance(request.get("stream", False), bool):
        raise RequestRefused(f"Invalid 'stream': boolean expected, got {request['stream']!r}", "stream")
    match request.get("stream_options"):
        case None if "stream_options" not in request:
            return
        case _ if not request.get("stream"):
            raise RequestRefused("'stream_options' is only allowed when 'stream' is enabled", "stream_options")
        case {"include_usage": bool(), **others} if not others:
            return
        case options:
            raise RequestRefused(f"Invalid 'stream_options': {json.dumps(options)}", "stream_options")


def _check_choice(request: JsonObject) -> None:
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in request and "tools" not in request:
            raise RequestRefused(f"'{name}' is only allowed when 'tools' are specified", name)
    match request.get("tool_choice", "auto"):
        case "auto" | "none" | "required":
            return
        case {"type": "function", "function": {"name": str(name)}}:
            if name not in offered_tools(request):
                raise RequestRefused(f"Tool choice {name!r} not found in 'tools' parameter", "tool_choice")
        case other:
            raise RequestRefused(f"Invalid 'tool_choice': {json.dumps(other)}", "tool_choice")


def _check_thinking(request: JsonObject) -> None:
    match request.get("thinking"):
        case {"type": "disabled"}:
            return
    if request.get("tool_choice", "auto") not in ("auto", "none"):
        raise RequestRefused("tool_choice 'specified' is incompatible with thinking enabled", "tool_choice")
    for name, value in _FIXED.items():
        if request.get(name, value) != value:
            raise RequestRefused(f"invalid {name}: only {value} is allowed for this model", name)


def offered_tools(request: Mapping[str, Any]) -> dict[str, JsonObject]:
    """Return the schemas of the tools of a request by name."""
    functions = [tool["function"] for tool in request.get("tools") or ()]
    return {function["name"]: function.get("parameters", {}) for function in functions}


def _check_encodable(request: JsonObject) -> None:
    try:
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise RequestRefused(
            f"We could not parse the JSON body of your request: lone surrogate: {error.reason}"
        ) from None


def no_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python's JSON parser would accept."""
    raise ValueError(f"{name} is not JSON")
