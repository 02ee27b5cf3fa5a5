"""Replies of a hostile host, one row each, with the expected record and end of the run."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tests.support.fault_host import Sent
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.tool_calls import MAX_CALLS
from watchkeeper.testing.faults import drop_connection, fault, lose_reply, raw_body, raw_response, truncated
from watchkeeper.testing.scripts import ScriptedReply, raw, says

REPORT = "Nothing more is known."
FITS = '{"service":"checkout"}'
BLOCK = f"<|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{FITS}<|tool_call_end|>"
SECTION = f"<|tool_calls_section_begin|>{BLOCK}<|tool_calls_section_end|>"
AS_TEXT = f'{{"name": "look", "arguments": {FITS}}}'
PAGE = '{"team":"checkout","summary":"18 %"}'
SOON = {"retry-after-ms": "10"}
JSON = "application/json"


@dataclass(frozen=True)
class Row:
    """The first replies of a host, and the expected result."""

    sends: tuple[Sent, ...]
    ends: str = "concluded"
    """``concluded`` or the type of the error."""
    rounds: int = 2
    requests: int | None = None
    """Total number of requests; None: one for each reply, and one for the report."""
    kind: str = "tool_calls"
    """Kind of the first recorded reply."""
    echo: Mapping[str, Any] | None = None
    """Members of the first recorded message."""
    reads: str = ""
    """Part of the next request to the model."""
    says: str = ""
    """Part of the report, or of the error."""


def message(finish: object = "stop", **fields: Any) -> ScriptedReply:
    sent = {"role": "assistant", "content": None, **fields}
    return replace(raw(sent), finish_reason=finish)  # type: ignore[arg-type]  # a host may send anything


def call(arguments: object = FITS, name: object = "look", **fields: Any) -> JsonObject:
    return {"id": "look:0", "type": "function", "function": {"name": name, "arguments": arguments}, **fields}


def asks(*requested: JsonObject, finish: object = "tool_calls", **fields: Any) -> ScriptedReply:
    return message(finish, tool_calls=list(requested), **fields)


def runs(*sends: Sent, **expected: Any) -> Row:
    """The call is run, and the model reads its result."""
    return Row(sends, **{"reads": "0.182", **expected})


def explained(arguments: object, message: str, **expected: Any) -> Row:
    """No call is run, and the model reads why."""
    return Row((asks(call(arguments)),), reads=message, **expected)


def retried(*sends: Sent) -> Row:
    """The reply is invalid: the request is sent again, and no round is counted."""
    return Row(sends, rounds=1, kind="final")


def resampled(turn: ScriptedReply, **expected: Any) -> Row:
    """Three empty replies: one is recorded as empty and costs one round."""
    return Row((turn, turn, turn), **{"kind": "empty", "reads": "neither text nor a usable tool call", **expected})


def asked_again(turn: ScriptedReply) -> Row:
    """A call in the text that cannot run: it is recorded at once, since the model must be told of it."""
    return Row((turn,), kind="empty")


def refuses(sent: Sent, ends: str, message: str, requests: int = 1) -> Row:
    """The run ends without a retry."""
    return Row((sent,) * requests, ends, rounds=0, requests=requests, says=message)


def error(status: int, message: str = "no", headers: Mapping[str, str] | None = None, **fields: Any) -> Sent:
    return fault(status, {"error": {"message": message, **fields}}, headers)


def body(text: bytes | str, content_type: str = JSON, **headers: str) -> Sent:
    raw_bytes = text.encode() if isinstance(text, str) else text
    return raw_body(raw_bytes, content_type, headers={name.replace("_", "-"): value for name, value in headers.items()})


def answer(**fields: Any) -> str:
    """Return a completion body, for content that the scripted host cannot send."""
    choice = {"index": 0, "message": {"role": "assistant", "content": REPORT}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], **fields})


NOTHING: dict[str, Any] = {"content": ""}
REASONING: dict[str, Any] = {"content": "", "reasoning_content": "hm " * 50}
FINAL = Row((), rounds=1, requests=1, kind="final")


def final(turn: Sent, **expected: Any) -> Row:
    """The reply is the report."""
    return replace(FINAL, sends=(turn,), **{"says": REPORT, **expected})


IDS: list[tuple[object, object]] = [
    (None, None),
    ("", " "),
    ("a", "a"),
    ("x" * 4_096, "b"),
    (7, {}),
    ("a\nb", "\x00"),
    ("é…", "a b"),
]
NO_COMPLETIONS: list[object] = [
    {"error": {"code": 502, "message": "no"}},
    {"error": {"message": "overloaded"}, "choices": None},
    {"error": "overloaded"},
    {"object": "error", "message": "no", "code": 50001},
    {"choices": [{"error": {"code": 502}, "message": {"content": "Check"}}]},
    {"choices": []},
    {"choices": [None]},
    {"choices": [{"message": None}]},
    [],
    None,
    "text",
]
OVERFLOWS: list[tuple[int, str, dict[str, Any]]] = [
    (400, "too long", {"code": "context_length_exceeded"}),
    (
        400,
        "This model's maximum context length is 8192 tokens. However, you requested 25000 tokens (9000 in the "
        "messages, 16000 in the completion).",
        {"code": 400},
    ),
    (400, "Invalid request: Your request exceeded model token limit: 262144 (requested: 285030)", {}),
    (400, "the request exceeds the available context size, try increasing it", {}),
    (400, "the request is too big", {"type": "exceed_context_size_error"}),
    (413, "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 25000", {}),
    (400, "prompt is too long: 210000 tokens > 200000 maximum", {}),
    (422, "The input token count exceeds the maximum number of tokens allowed", {}),
]
USAGES: list[object] = [
    None,
    "many",
    [],
    {"prompt_tokens": -1},
    {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
    {"prompt_tokens": "7", "completion_tokens": 1e300},
    {"prompt_tokens": 7, "completion_tokens": 2, "cached_tokens": 99},
]

ROWS: dict[str, Row] = {
    # --- the calls decide, never the finish_reason
    **{
        f"calls, finish {finish!r}": runs(asks(call(), finish=finish))
        for finish in ("stop", "length", "content_filter", "tool_calls", "", "??", None, 3, {"a": 1})
    },
    **{
        f"text, finish {finish!r}, calls {none!r}": final(message(finish, content=REPORT, tool_calls=none))
        for finish, none in (("tool_calls", []), ("tool_calls", None), (None, [None]), ("??", "text"), ({}, {}))
    },
    # --- cut at the token limit
    "arguments are cut": Row((asks(call('{"service": "chec'), finish="length"),), reads="cut at the token limit"),
    "arguments are cut, finish tool_calls": explained('{"service": "chec', "cannot be read"),
    "reasoning used all tokens": final(message("length", **REASONING), rounds=1, requests=2),
    "reasoning always uses all tokens": Row(
        (message("length", **REASONING),) * 6, kind="empty", reads="neither text nor a usable tool call"
    ),
    "text is cut": Row((message("length", content="Check"),), rounds=1, kind="final", says=REPORT),
    "text is always cut": Row(
        (message("length", content="Check"),) * 2,
        rounds=1,
        requests=2,
        kind="final",
        says="cut at the model's token limit",
    ),
    "text is cut, a higher limit is refused": Row(
        (message("length", content="Check"), error(400, "a larger limit needs a larger plan")),
        rounds=1,
        requests=2,
        kind="final",
        says="cut at the model's token limit",
    ),
    "text is cut, a lower limit is named": Row(
        (message("length", content="Check"), error(400, "max_completion_tokens: at most 32768")),
        rounds=1,
        requests=3,
        kind="final",
        says=REPORT,
    ),
    "text is cut, then an outage": Row(
        (message("length", content="Check"), error(503)),
        rounds=1,
        requests=2,
        kind="final",
        says="cut at the model's token limit",
    ),
    # --- withheld
    "withheld": refuses(message("content_filter", **NOTHING), "ContentFiltered", "The answer was withheld"),
    "withheld midway": refuses(message("content_filter", content="Check"), "ContentFiltered", "withheld"),
    "withheld, with detail": refuses(message("content_filter: SAFETY"), "ContentFiltered", "SAFETY"),
    "refused": refuses(message(refusal="I cannot help with that."), "ContentFiltered", "I cannot help with that."),
    "refused in a part": refuses(
        message(content=[{"type": "refusal", "refusal": "I cannot."}]), "ContentFiltered", "I cannot."
    ),
    "refused by status": refuses(error(400, "high risk", type="content_filter"), "ContentFiltered", "high risk"),
    # --- empty replies
    "nothing, once": Row((message(**NOTHING),), rounds=1, kind="final"),
    "nothing, finish tool_calls": resampled(message("tool_calls", content="", tool_calls=[])),
    "space": resampled(message(content=" \n")),
    "no content at all": resampled(message()),
    "empty parts": resampled(message(content=[{"type": "text", "text": ""}])),
    "only reasoning": resampled(message(**REASONING)),
    "only a think tag": resampled(message(content="<think>I should look</think>\n")),
    "nothing, always": Row(
        (message(**NOTHING),) * 6, "EmptyCompletion", requests=6, kind="empty", says="no usable reply"
    ),
    # --- calls that leaked into the text
    **{
        f"a call leaked into {key}, finish {finish!r}": runs(message(finish, **{key: leaked}), echo={key: None})
        for key, finish, leaked in (("content", "stop", BLOCK), ("content", "tool_calls", SECTION))
    },
    "a call leaked into the reasoning": runs(message(content="", reasoning_content=f"I look. {SECTION}")),
    "a leak after text": runs(message(content=f"I look. {BLOCK}"), echo={"content": "I look."}),
    "half a leak": asked_again(message(content=BLOCK[:-25])),
    "a call to another tool": asked_again(message(content=f"<tool_call>{AS_TEXT.replace('look', 'see')}</tool_call>")),
    "a call without its argument": asked_again(
        message(content=f"I look.\n<tool_call>{AS_TEXT.replace('service', 's')}")
    ),
    "a call as a tag": runs(message(content=f"<tool_call>{AS_TEXT}</tool_call>")),
    "a call as JSON": runs(message(content=AS_TEXT)),
    "a call in a fence": runs(message(content=f"```json\n{AS_TEXT}\n```")),
    "a call as an expression": runs(message(content='I look now:\n\nlook(service="checkout")')),
    "half a thought": final(message(content=f"I wonder.\n</think>\n\n{REPORT}")),
    "text about a token": final(says(f"{REPORT} It wrote `<|tool_call_begin|>`.")),
    # --- ids
    **{f"ids {str(ids)[:40]}": runs(asks(*(call(id=i) for i in ids))) for ids in IDS},
    "no id": runs(asks({"type": "function", "function": {"name": "look", "arguments": FITS}})),
    "the ids of K2": runs(asks(call(id="functions.look:0"), call(id="functions.look:1"))),
    "no type": runs(asks({"id": "a", "function": {"name": "look", "arguments": FITS}})),
    "the call is not wrapped": runs(asks({"id": "a", "name": "look", "arguments": FITS})),
    "one call without its list": runs(message(tool_calls=call())),
    "a legacy function call": runs(message(function_call={"name": "look", "arguments": FITS})),
    # --- names
    **{
        f"name {str(name)[:20]!r}": Row((asks(call(name=name)),), reads="look, page, refusing, restart, unreachable")
        for name in ("reboot", "", " ", None, 5, "__import__", "__class__", "x" * 5_000, "look at", "lo\x00ok", "21st")
    },
    **{f"name {name!r}": runs(asks(call(name=name))) for name in ("functions.look", "functions.look:0", " look\n")},
    # --- arguments
    "arguments as an object": runs(asks(call({"service": "checkout"}))),
    "arguments encoded twice": runs(asks(call(json.dumps(FITS)))),
    **{
        f"arguments {nothing!r}": Row((asks(call(nothing, name="refusing")),), reads="no such index")
        for nothing in ("", None, " \n")
    },
    "no arguments": Row((asks({"id": "a", "function": {"name": "refusing"}}),), reads="no such index"),
    "arguments and then text": explained(f"{FITS} there", "cannot be read"),
    "two arguments": explained(FITS * 2, "cannot be read"),
    "arguments in a fence": explained(f"```json\n{FITS}\n```", "cannot be read"),
    "arguments in single quotes": explained("{'service': 'checkout'}", "cannot be read"),
    "a list": explained("[1]", "not an object"),
    "a number": explained(7, "not an object"),
    "text": explained('"checkout"', "cannot be read"),
    "NaN": explained('{"service": NaN}', "cannot be read"),
    "beyond any number": explained('{"service": 1e999}', "out of range"),
    "5,000 digits": explained('{"service": %s}' % ("1" * 5_000), "out of range"),
    "100,000 levels": explained('{"service":' * 100_000, "at most"),
    "9,000 levels": explained('{"a":' * 9_000 + "1" + "}" * 9_000, "recursion limit"),
    "half a surrogate pair": explained('{"service": "\ud83d"}', "surrogate"),
    "half a surrogate pair, escaped": explained('{"service": "\\ud83d"}', "cannot be read"),
    "a key twice": explained('{"service": "checkout", "service": "payments"}', "more than once"),
    "too much": explained('{"service": "%s"}' % ("x" * 70_000), "at most 65536"),
    "an unknown member": explained('{"service": "checkout", "servce": 1}', "servce"),
    "a wrong type": explained('{"service": 3}', "valid string"),
    "an object instead of a string": explained('{"service": {"name": "checkout"}}', "valid string"),
    "a null": explained('{"service": null}', "valid string"),
    # --- many calls
    "40 calls": runs(asks(*(call(id=f"look:{n}") for n in range(40)))),
    "14,408 calls": runs(asks(*(call(id="look:0") for _ in range(14_408)))),
    "the same effect twice": Row((asks(call(PAGE, "page", id="a"), call(PAGE, "page", id="b")),), reads="INC-1"),
    # --- errors with status 200
    **{
        f"200 with {code}": refuses(body(json.dumps({"error": {"code": code, "message": "no"}})), ends, "no")
        for code, ends in (
            (401, "ModelAuthentication"),
            ("403", "ModelAuthentication"),
            ("invalid_api_key", "ModelAuthentication"),
            (402, "ModelQuota"),
            ("insufficient_quota", "ModelQuota"),
            (404, "ModelRefused"),
        )
    },
    **{f"200 with {str(text)[:40]}": retried(body(json.dumps(text))) for text in NO_COMPLETIONS},
    # --- invalid or incomplete JSON
    "an HTML page": retried(body("<html><title>Welcome</title></html>", "text/html")),
    "nothing in the body": retried(body("")),
    "no content": retried(fault(204)),
    "events": retried(body('data: {"choices": []}\n\ndata: [DONE]\n\n', "text/event-stream")),
    "half the JSON": retried(body(answer()[:-20])),
    "no UTF-8": retried(body(answer().encode("utf-16"))),
    "half the body": retried(truncated(answer().encode()[:-20])),
    "broken gzip": retried(body(b"no gzip", content_encoding="gzip")),
    "half the gzip": retried(body(gzip.compress(answer().encode())[:-20], content_encoding="gzip")),
    "brotli": retried(body(b"\x0b\x02\x80{}\x03", content_encoding="br")),
    "a reset": retried(drop_connection()),
    "a reset after the answer": retried(lose_reply()),
    "no HTTP": retried(raw_response(b"220 mail.example ESMTP\r\n\r\n")),
    "a wrong content type": final(body(answer(), "text/plain; charset=hex")),
    "a byte order mark": final(body(b"\xef\xbb\xbf" + answer().encode())),
    # --- permanent refusals
    **{
        f"{status}": refuses(error(status, "not like this"), "ModelRefused", f"HTTP {status}: not like this")
        for status in (400, 404, 405, 413, 422)
    },
    "a redirect": refuses(fault(307, headers={"location": "http://elsewhere"}), "ModelRefused", "elsewhere"),
    "a temperature": refuses(error(400, "invalid temperature: only 1 is allowed"), "ModelRefused", "temperature"),
    "a call its host refused": retried(error(400, code="tool_use_failed", failed_generation="<function")),
    "x-should-retry true": retried(error(400, headers={"x-should-retry": "true"})),
    "x-should-retry false": refuses(error(500, headers={"x-should-retry": "false"}), "ModelRefused", "HTTP 500"),
    # --- key and quota
    "401": refuses(error(401, "Incorrect API key"), "ModelAuthentication", "Incorrect API key. Check the API key"),
    "403": refuses(error(403, "no access"), "ModelAuthentication", "no access. Check the API key"),
    "402": refuses(error(402, "pay"), "ModelQuota", "pay. Raise"),
    **{
        f"429 {kind}": refuses(error(429, "spent", SOON, **{field: kind}), "ModelQuota", "spent. Raise")
        for field, kind in (("type", "exceeded_current_quota_error"), ("code", "insufficient_quota"))
    },
    # --- temporary errors
    **{
        f"{status}": retried(error(status, headers=SOON))
        for status in (408, 409, 425, 429, 500, 502, 503, 504, *range(520, 530))
    },
    **{
        f"retry-after {value}": retried(error(429, headers={"retry-after": value}))
        for value in ("0", "0.01", "nan", "inf", "-1", "soon", "", "Wed, 21 Oct 2015 07:28:00 GMT", "1e999")
    },
    "retry-after-ms nan": retried(error(429, headers={"retry-after-ms": "nan"})),
    # --- too long for the model
    **{
        f"overflow, {status}: {text[:40]}": refuses(error(status, text, **more), "ContextOverflow", text[:20])
        for status, text, more in OVERFLOWS
    },
    # Smaller completions are tried first: it may be them that are too long.
    "overflow without numbers": refuses(
        error(403, "The max_tokens parameter must be less than the context length"), "ContextOverflow", "The max", 3
    ),
    "too many bytes": refuses(
        fault(413, "<title>413 Request Entity Too Large</title>"), "ModelRefused", "no request of this many bytes"
    ),
    # --- content that cannot be recorded or sent
    "NUL and half a pair": final(says(f"{REPORT}\x00\ud83d")),
    "a very long text": Row(
        (message(content=f"{REPORT}\n" + "é" * 300_000),),
        rounds=1,
        requests=1,
        kind="final",
        says="ééé",
    ),
    "very long reasoning": runs(asks(call(), reasoning_content="hm " * 200_000)),
    "very large calls": retried(
        asks(*(call('{"service":"%s"}' % ("x" * 60_000), id=f"look:{n}") for n in range(MAX_CALLS)))
    ),
    "a deep member": runs(asks(call(), deep=json.loads("[" * 500 + "]" * 500))),
    "a large member": runs(asks(call(), large="x" * 300_000)),
    "unknown members": runs(
        asks(call(extra_content={"signature": "c2ln"}), reasoning_details=[{"text": "…"}]),
        echo={"reasoning_details": [{"text": "…"}]},
    ),
    "empty reasoning": runs(asks(call(), reasoning_content=""), echo={"reasoning_content": ""}),
    "members that are not sent back": runs(asks(call(), annotations=[], audio={"id": "a"}, refusal=None)),
    "a wrong role": runs(asks(call(), role="model"), echo={"role": "assistant"}),
    # --- usage
    **{f"usage {str(usage)[:40]}": final(body(answer(usage=usage))) for usage in USAGES},
}
