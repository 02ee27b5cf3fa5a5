"""Responses of model hosts, one of each kind, and damaged versions: wrong bytes, wrong JSON, wrong values."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from random import Random
from typing import Any

from watchkeeper.contracts import JsonObject

TOOLS: dict[str, JsonObject] = {"search_logs": {}, "page_engineer": {}}

K2 = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.search_logs:0<|tool_call_argument_begin|>"
    '{"service": "checkout"}<|tool_call_end|><|tool_calls_section_end|>'
)
SNIPPETS = [
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_end|>"),
    *("<|tool_call_argument_begin|>", "functions.search_logs:0", "<tool_call>", "</tool_call>", "<think>", "</think>"),
    *('{"name": "search_logs", "arguments": {}}', "search_logs(", "```json\n", "\n```", K2),
    *("{}", "[]", "null", '"', "\\", '{"a": NaN}', '{"a": 1e999}', '{"a": 1}{"a": 2}', '{"a": 1, "a": 2}', '"{}"'),
    *("\x00", "\ud83d", "\ude00", "\u2028", "é", "\x7f", "\ufeff", "\r\n", " ", "9" * 5_000, "maximum context length"),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1.5, -0.0, 10**400, 1e308, math.nan, -math.inf, 2**63, "", " ", [], {}, [None], [[]]),
    *({"": ""}, {"type": "text", "text": "Done."}, {"error": {"code": 429}}, "stop", "length", "content_filter"),
    *("search_logs", "functions.page_engineer:3", "__import__", "x" * 300, "assistant", {"function": {}}),
]


def _answer(message: JsonObject, finish: object = "stop", **fields: Any) -> JsonObject:
    usage = {"prompt_tokens": 4_000, "completion_tokens": 60, "total_tokens": 4_060}
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "kimi", "choices": [choice]} | {
        "usage": usage,
        **fields,
    }


def _call(arguments: Any = '{"service":"checkout"}', name: str = "search_logs", **fields: Any) -> JsonObject:
    return {
        "id": "functions.search_logs:0",
        "type": "function",
        "function": {"name": name, "arguments": arguments},
        **fields,
    }


ANSWERS: list[object] = [
    _answer({"content": "Checkout is down."}),
    _answer({"content": None, "tool_calls": [_call()], "reasoning_content": "I look at the logs."}, "tool_calls"),
    _answer({"content": "", "tool_calls": [_call(), _call(id="functions.page_engineer:1", name="page_engineer")]}),
    _answer({"content": "", "tool_calls": [_call({"service": "checkout"}, extra_content={"google": {"s": "c2ln"}})]}),
    _answer({"content": K2, "tool_calls": None}),
    _answer({"content": "", "tool_calls": [], "reasoning_content": f"So. {K2}"}, "tool_calls"),
    _answer({"content": '<tool_call>{"name": "search_logs", "arguments": {}}</tool_call>'}),
    _answer({"content": [{"type": "text", "text": "Checkout"}, {"type": "text", "text": " is down."}]}),
    _answer({"content": "<think>hm</think>Checkout is down.", "refusal": None, "annotations": [], "audio": None}),
    _answer({"content": None, "function_call": {"name": "search_logs", "arguments": "{}"}}, "function_call"),
    _answer(
        {"content": "", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "length"
    ),
    _answer({"content": "", "refusal": "I cannot help with that."}, "content_filter"),
    _answer(
        {"content": "Done."},
        usage={
            "prompt_tokens": 9,
            "completion_tokens": 2,
            "cached_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 5},
            "completion_tokens_details": {"reasoning_tokens": 1},
        },
    ),
    {"error": {"message": "slow down", "type": "rate_limit_reached_error", "code": 429}},
    {"object": "error", "message": "This model's maximum context length is 8192 tokens", "code": 400},
    [{"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}],
    {"detail": [{"loc": ["body"], "msg": "field required"}]},
    {"error": {"message": "Provider returned error", "code": 502, "metadata": {"raw": "{}", "provider_name": "x"}}},
    {"choices": [{"error": {"code": 502, "message": "cut"}, "message": {"content": "Check"}}], "usage": None},
]

TELLING = {
    "arguments",
    "content",
    "finish_reason",
    "function",
    "id",
    "message",
    "name",
    "reasoning_content",
    "tool_calls",
}
"""The fields that distinguish one response from another."""

ARGUMENTS: list[Any] = [
    *(
        "",
        " ",
        "null",
        "{}",
        "[]",
        "3",
        '"{}"',
        '"\\"{}\\""',
        "{'a': 1}",
        '{"a": 1',
        '{"a": 1} there',
        '{"a": 1}{"a": 2}',
    ),
    *('{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', '{"a": 1, "a": 2}', '{"a": "\\ud83d"}', '{"a": "\ud83d"}'),
    *(
        '{"a": "\x00"}',
        '{"a": "\\u0000"}',
        '```json\n{"a": 1}\n```',
        '{"a":' * 300 + "1" + "}" * 300,
        '{"a": %s}' % ("9" * 5_000),
    ),
    *({}, {"a": math.nan}, {"a": "\ud83d"}, {"a": [[]]}, [1], 7, None, {"service": {"a": 10**400}}),
]

LARGEST = 2**21
"""Largest response in bytes. A larger one takes longer and finds no more errors."""

SEEDS = [json.dumps(answer).encode() for answer in ANSWERS]


def mutated(random: Random, body: bytes | None = None) -> bytes:
    """Return a response with a few random errors."""
    body = random.choice(SEEDS) if body is None else body
    for _ in range(random.choice((1, 1, 2, 3, 5, 8))):
        other = _with_other_json(random, body) if random.random() < 0.95 else _with_other_bytes(random, body)
        body = other if len(other) <= LARGEST else body
    return body


def _with_other_json(random: Random, body: bytes) -> bytes:
    try:
        answer = {"": json.loads(body)}
    except (ValueError, RecursionError):
        return _with_other_bytes(random, body)
    places = _places(answer)
    telling = [place for place in places if place[1] in TELLING]
    holder, key = random.choice(telling if telling and random.random() < 0.7 else places)
    if key == "arguments" and random.random() < 0.5:
        holder[key] = random.choice(ARGUMENTS)
    else:
        holder[key] = random.choice(_CHANGES)(random, holder[key])
    if key in holder and random.random() < 0.1:
        del holder[key]
    try:
        text = json.dumps(answer.get("", ""), ensure_ascii=random.random() < 0.5)
    except (ValueError, RecursionError):
        return body
    return text.encode(errors="surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Yield every member of every object and list, outer ones first."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting and len(found) < 2_000:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            found.append((holder, key))
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])
    return found


def _another(random: Random, value: Any) -> Any:
    return random.choice(VALUES)


def _grafted(random: Random, value: Any) -> Any:
    holder, key = random.choice(_places([json.loads(random.choice(SEEDS))]))
    return holder[key]


def _wrapped(random: Random, value: Any) -> Any:
    return random.choice(
        ([value], {"value": value}, [value] * 40, {**value, "more": value} if isinstance(value, dict) else "")
    )


def _encoded(random: Random, value: Any) -> Any:
    return json.dumps(value)


def _deepened(random: Random, value: Any) -> Any:
    for _ in range(random.choice((2, 40, 300))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value


def _reworded(random: Random, value: Any) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    at = random.randrange(len(text) + 1)
    match random.randrange(4):
        case 0:
            return text[:at] + random.choice(SNIPPETS) + text[at:]
        case 1:
            return text[:at]
        case 2:
            return text[at:] + text[:at]
        case _:
            return (text + random.choice(SNIPPETS)) * random.choice((2, 30, 3_000 if len(text) < 100 else 2))


_CHANGES: list[Callable[[Random, Any], Any]] = [
    _another,
    _another,
    _grafted,
    _wrapped,
    _encoded,
    _deepened,
    _reworded,
    _reworded,
]


def _with_other_bytes(random: Random, body: bytes) -> bytes:
    start = random.randrange(len(body) + 1)
    end = min(len(body), start + random.choice((0, 1, 1, 4, 50)))
    match random.randrange(6):
        case 0:
            return body[:start]
        case 1:
            return body[:start] + random.randbytes(end - start or 1) + body[end:]
        case 2:
            return body[:start] + body[start:end] * 3 + body[end:]
        case 3:
            return body[:start] + random.choice(SNIPPETS).encode(errors="surrogatepass") + body[end:]
        case 4:
            return random.choice((b"\xef\xbb\xbf", b"data: ", b" ", b"\xff\xfe", b"[" * 50_000)) + body
        case _:
            return body[:start] + body[end:]
