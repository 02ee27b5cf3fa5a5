"""Normalise a chat completion of any host to a ``ModelReply``.

A reply is recorded and sent back to the model in every later round. A message that a host refuses to read back would
block the run permanently, so every defect of a reply is corrected here, before it is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from watchkeeper.contracts import JsonObject, ModelReply, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.error_body import parse_json
from watchkeeper.llm.errors import ModelError, error_from_object, not_a_completion
from watchkeeper.llm.extra_fields import unknown_fields
from watchkeeper.llm.report_shape import is_report
from watchkeeper.llm.tool_calls import read_calls
from watchkeeper.llm.tool_calls_in_text import TextCalls, find_text_calls
from watchkeeper.llm.usage import read_usage
from watchkeeper.text import cap, clean
from watchkeeper.thought import without_thought

MAX_TEXT_BYTES = 262_144
"""Largest content, and largest reasoning, of a reply."""

MAX_MESSAGE_BYTES = 1_048_576
"""Largest encoded message. Temporal refuses payloads of 2 MiB, and the reply would be lost."""

_MAX_LABEL = 200
_REASONING = ("reasoning_content", "reasoning")
"""Fields for the reasoning: the first at Moonshot; the second at vLLM, Together, Groq and OpenRouter."""

_FIELDS_NOT_SENT_BACK = {
    "role",
    "content",
    "tool_calls",
    # Only responses have these fields; strict hosts refuse them in a request:
    "function_call",
    "refusal",
    "annotations",
    "audio",
}
_EMPTY_MESSAGE: JsonObject = {"role": "assistant", "content": None}
_LENGTH_REASONS = {"length", "max_tokens", "model_length"}
_BROKEN_REASONS = {"error", "abort", "network_error"}
"""The host did not finish its answer: OpenRouter, vLLM, GLM."""

_FILTER_REASONS = {"content_filter", "sensitive", "safety", "refusal"}


_DEFAULT_FINISH_REASONS = {"tool_calls": "tool_calls", "final": "stop", "empty": None}
"""The finish_reason that the kind of reply implies; it is not recorded."""


def read_completion(
    body: bytes,
    *,
    tools: Mapping[str, JsonObject],
    tools_allowed: bool,
    prompt_bytes: int,
    trace_id: str | None = None,
) -> ModelReply:
    """Read the body of a 2xx response.

    The kind of reply follows from the calls and the text in it, never from its finish_reason.

    ``tools`` are all tools in the catalogue, by name the JSON schema of the arguments. ``tools_allowed`` says whether
    the request offered them; if not, calls are removed. ``prompt_bytes`` is the size of the request, to estimate a
    usage that is not reported.

    Raises:
        ModelError: The body is not a completion, reports an error, or says that the host or model refused to answer.
    """
    completion, choice = _first_choice(body)
    received = dict(choice["message"])
    cut, withheld = _finished_because(choice, _LENGTH_REASONS), _finished_because(choice, _FILTER_REASONS)
    refusal = _extract_text(received)
    for key in ("content", *_REASONING):
        _shorten(received, key)  # before the search for calls, which takes seconds for megabytes
    entries, text_call = _extract_calls(received, tools, tools_allowed=tools_allowed)
    calls = read_calls(entries, tools.keys(), cut=cut)
    if not calls.calls and (withheld or refusal.strip()):
        raise ModelError("content_filter", f"The answer was withheld: {refusal or choice['finish_reason']}")

    message = _message_to_send_back(received, calls.calls)
    encoded = canonical_json(message)
    if len(encoded) > MAX_MESSAGE_BYTES:
        raise ModelError("malformed", f"The reply takes {len(encoded)} bytes, more than {MAX_MESSAGE_BYTES}.")
    answered = not text_call and _has_text(received["content"])
    kind = "tool_calls" if calls.calls else "final" if answered else "empty"
    if kind == "empty" and completion.get("error"):
        raise error_from_object(completion)
    reply = {
        "kind": kind,
        "message": message,
        "digest": digest_of(encoded),
        "usage": read_usage(
            [completion.get("usage"), choice.get("usage")],
            prompt_bytes=prompt_bytes,
            completion_bytes=0 if message == _EMPTY_MESSAGE else len(body),
        ),
        "problems": calls.problems,
        "dropped": calls.dropped,
        "truncated": cut,
        "text_call": text_call and kind == "empty",
        "finish_reason": _label(choice.get("finish_reason"))
        if choice.get("finish_reason") != _DEFAULT_FINISH_REASONS[kind]
        else None,
        "model": _label(completion.get("model")),
        # The host's support can find a request by either id; the proxies of the host also know the one in the headers.
        "response_id": None if _label(trace_id) else _label(completion.get("id")),
        "trace_id": _label(trace_id),
    }
    return ModelReply.model_validate({name: value for name, value in reply.items() if value})


def _first_choice(body: bytes) -> tuple[JsonObject, JsonObject]:
    """Return the completion and its first choice, which has a message. Raises ModelError."""
    try:
        parsed = parse_json(body)
    except ValueError:
        raise not_a_completion(body) from None
    completion: JsonObject = parsed if isinstance(parsed, dict) else {}
    match completion.get("choices"):
        case [{"error": error}, *_] if error:
            raise error_from_object({"error": error})
        case [dict() as choice, *_] if _finished_because(choice, _BROKEN_REASONS) and not completion.get("error"):
            raise ModelError("unavailable", f"The host broke off its answer: {choice['finish_reason']}")
        case [dict() as choice, *_] if _finished_because(choice, _BROKEN_REASONS):
            raise error_from_object(completion)
        case [{"message": dict()} as choice, *_]:
            return completion, choice
        case [dict() as choice, *_] if _finished_because(choice, _FILTER_REASONS):
            raise ModelError("content_filter", f"The answer was withheld: {choice['finish_reason']}")
    match parsed:
        case {"error": _} | {"errors": _} | {"detail": _} | {"code": _} | {"object": "error"} | [{"error": _}, *_]:
            raise error_from_object(parsed)
        case _:
            raise not_a_completion(body)


def _extract_text(received: JsonObject) -> str:
    """Make the content a string. Return the text of the model's refusal, which may be empty."""
    content = received.get("content")
    parts = content if isinstance(content, list) else [content]
    received["content"] = "".join(_text_part(part, "text") for part in parts)
    return _text_part(received, "refusal") + "".join(_text_part(part, "refusal") for part in parts)


def _text_part(part: object, field: str) -> str:
    match part:
        case str() if field == "text":
            return part
        case {"type": kind} if field == "text" and kind not in ("text", "output_text", None):
            return ""
        case dict() if isinstance(part.get(field), str):
            return str(part[field])
        case _:
            return ""


def _extract_calls(
    received: JsonObject, tools: Mapping[str, JsonObject], *, tools_allowed: bool
) -> tuple[list[object], bool]:
    """Return the calls of a message, and remove calls written as text from its text.

    The second value is true if the text is no answer because of a call in it: the text around a call is no
    conclusion. Without tools, a report next to the call is one.
    """
    entries = _structured_calls(received)
    key, found = "content", find_text_calls(received["content"], tools)
    if not entries and not without_thought(received["content"]).strip() and not found:
        key, found = _calls_in_reasoning(received, tools)
    calls = entries or (list(found.calls) if found else [])
    if not found:
        return (calls if tools_allowed else []), False
    unanswered = not calls if tools_allowed else key != "content" or not is_report(without_thought(found.text))
    if calls or not unanswered:
        received[key] = found.text.strip()
    return (calls if tools_allowed else []), unanswered


def _calls_in_reasoning(received: JsonObject, tools: Mapping[str, JsonObject]) -> tuple[str, TextCalls | None]:
    """Find calls in the reasoning, where a host puts them if its parser missed the end of the reasoning."""
    texts = {key: text for key in _REASONING if isinstance(text := received.get(key), str)}
    found = ((key, find_text_calls(text, tools)) for key, text in texts.items())
    return next(((key, calls) for key, calls in found if calls), ("content", None))


def _message_to_send_back(received: JsonObject, calls: list[JsonObject]) -> JsonObject:
    """Return the message as later requests send it; Moonshot refuses empty text next to calls."""
    content = received["content"]
    message: JsonObject = {"role": "assistant", "content": content if content.strip() else None}
    if calls:
        message["tool_calls"] = calls
    reasoning = {key: received[key] for key in _REASONING if isinstance(received.get(key), str)}
    return message | reasoning | unknown_fields(received, _FIELDS_NOT_SENT_BACK | reasoning.keys())


def _structured_calls(received: Mapping[str, Any]) -> list[object]:
    match received:
        case {"tool_calls": [_, *_] as entries}:
            return [entry for entry in entries if entry is not None]
        case {"tool_calls": {"function": _} as entry}:
            return [entry]
        case {"function_call": dict() as function} if any(function.values()):
            return [{"function": function}]
        case _:
            return []


def _has_text(content: str) -> bool:
    """Return whether there is a letter or digit outside the thoughts that the host did not remove."""
    return any(map(str.isalnum, without_thought(content)))


def _finished_because(choice: Mapping[str, Any], reasons: set[str]) -> bool:
    """Return whether a choice ended for one of the reasons (Gemini adds detail: ``content_filter: SAFETY``)."""
    reason = choice.get("finish_reason")
    return isinstance(reason, str) and reason.lower().partition(":")[0] in reasons


def _shorten(received: JsonObject, key: str) -> None:
    """Clean and cap a text in place. The text says how much was cut."""
    if not isinstance(text := received.get(key), str):
        return
    text = clean(text)
    kept, cut = cap(text.strip() if len(text) > MAX_TEXT_BYTES else text, MAX_TEXT_BYTES)
    received[key] = f"{kept}\n[{cut} bytes were cut here]" if cut else kept


def _label(value: object) -> str | None:
    """Return an identifier from the host, cleaned and capped; None if it is not a string or is empty."""
    return clean(value)[:_MAX_LABEL] or None if isinstance(value, str) else None
