"""Event streams in every framing, and what is no whole stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.host_answers import ANSWERS
from watchkeeper.contracts import JsonObject
from watchkeeper.llm import response_body
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.errors import ModelError
from watchkeeper.llm.response_body import UnreadableBody, read_body
from watchkeeper.testing.streamed_reply import event, streamed

TEXT = "Checkout is down: café, 检查, 😀."
TOOLS: dict[str, JsonObject] = {"search_logs": {}, "page_engineer": {}}


def completion(message: JsonObject, finish: str | None = "stop") -> JsonObject:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    usage = {"prompt_tokens": 90, "completion_tokens": 7}
    return {"id": "chat-1", "created": 1, "model": "kimi", "choices": [choice], "usage": usage}


def events(text: str = TEXT) -> list[bytes]:
    """The events of an answer: the role, a word each, the finish_reason, the usage, [DONE]."""
    return streamed(completion({"content": text}), include_usage=True)


def response(parts: Sequence[bytes | float | Exception] | Sequence[bytes | float] | Sequence[bytes]) -> httpx2.Response:
    """Return a response whose body has these parts; a number is a pause in seconds."""

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            match part:
                case bytes():
                    yield part
                case Exception():
                    raise part
                case _:
                    await asyncio.sleep(part)

    return httpx2.Response(200, content=body(), request=httpx2.Request("POST", "http://host/"))


async def body_of(*parts: bytes | float | Exception, idle: float = 5.0, **options: Any) -> JsonObject:
    body: JsonObject = json.loads(await read_body(response(parts), idle=idle, **options))
    return body


async def text_of(*parts: bytes | float | Exception, **options: Any) -> str:
    text: str = (await body_of(*parts, **options))["choices"][0]["message"]["content"]
    return text


async def trouble_of(*parts: bytes | float | Exception, **options: Any) -> UnreadableBody:
    with pytest.raises(UnreadableBody) as caught:
        await body_of(*parts, **options)
    return caught.value


# --- framing ------------------------------------------------------------------------------------------------------


def joined(*others: bytes) -> bytes:
    return b"".join([*events(), *others])


FRAMINGS: dict[str, bytes] = {
    "as OpenAI": joined(),
    "CRLF": joined().replace(b"\n", b"\r\n"),
    "CR": joined().replace(b"\n", b"\r"),
    "no space": joined().replace(b"data: ", b"data:"),
    "byte order mark": b"\xef\xbb\xbf" + joined(),
    "empty lines first": b"\r\n\n" + joined(),
    "comments": b": OPENROUTER PROCESSING\n\n" + b":\n\n: keep-alive\n".join(events()),
    "event, id and retry": b"retry: 3000\n\n" + b"".join(b"event: message\nid: 1\n" + one for one in events()),
    "data over several lines": b"".join(one.replace(b', "choices"', b',\ndata: "choices"') for one in events()),
    "no empty lines": b"".join(one.replace(b"\n\n", b"\n") for one in events()),
    "empty data": b"data:\n\n" + b"data: \n\n".join(events()),
    "no [DONE]": b"".join(events()[:-1]),
    "no [DONE], no end of the last line": b"".join(events()[:-1]).rstrip(),
    "no end of [DONE]": joined().rstrip(),
    "[DONE] without a finish_reason": b"".join([*events()[:-3], event("[DONE]")]),
    "[DONE] as JSON": b"".join([*events()[:-1], event('"[DONE]"')]),
    "more after [DONE]": joined(event("what?"), event(json.dumps({"error": "no"}))),
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1_000_000])
async def test_every_framing_gives_the_text(framing: str, step: int) -> None:
    body = FRAMINGS[framing]
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    assert await text_of(*parts) == TEXT


async def test_the_usage_is_read() -> None:
    assert (await body_of(*events()))["usage"] == {"prompt_tokens": 90, "completion_tokens": 7}
    without = [one for one in events() if b'"choices": []' not in one]
    assert (await body_of(*without))["usage"] is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b" \n{}",
        b'{"choices":[{"message":{"content":"data: x"}}]}',
        b"<html>503</html>",
        b"data",
        b"database",
        b"\xff\xfe",
        b'"data: x"',
    ],
)
@pytest.mark.parametrize("step", [1, 1_000])
async def test_any_other_body_is_unchanged(body: bytes, step: int) -> None:
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    assert await read_body(response(parts), idle=5) == body


async def test_the_size_of_a_body_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_body, "RESPONSE_BYTES", 1_000)
    assert len(await read_body(response([b"{" * 500] * 2), idle=5)) == 1_000
    chunk = event(json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 300}}]}))
    for part, times in ((b"{" * 500, 3), (chunk, 4)):
        with pytest.raises(UnreadableBody, match="larger than 1,000 bytes") as caught:
            await read_body(response([part] * times), idle=5)
        assert caught.value.reason == "unavailable"
    assert (await trouble_of(b": hi\n\ndata: ", b"x" * 2_000)).reason == "unavailable"


async def test_progress_counts_the_characters() -> None:
    seen: list[int] = []
    await body_of(*events("one two three"), progress=seen.append)
    assert seen[-1] == len("one two three")
    assert all(before <= after for before, after in pairwise(seen))
    assert len(seen) == len(events("one two three")[:-1]) + 1


# --- half a stream ------------------------------------------------------------------------------------------------

NOT_FINISHED = range(1, len(events()) - 3)
"""How many events a stream may have without being finished."""


@pytest.mark.parametrize("sent", NOT_FINISHED)
async def test_a_stream_that_ends_early_is_no_reply(sent: int) -> None:
    error = await trouble_of(*events()[:sent])
    assert error.reason == "unavailable"
    assert "ended without a finish_reason and without [DONE]" in str(error)


@pytest.mark.parametrize("sent", NOT_FINISHED)
async def test_a_connection_that_fails_early_is_no_reply(sent: int) -> None:
    error = await trouble_of(*events()[:sent], httpx2.ReadError("reset"))
    assert (error.reason, "broke off after" in str(error), "ReadError: reset" in str(error)) == (
        "unavailable",
        True,
        True,
    )


async def test_a_stream_that_is_cut_in_an_event_is_no_reply() -> None:
    body = joined()
    for end in range(8, len(b"".join(events()[:-3])) - 2):
        assert (await trouble_of(body[:end])).reason in ("unavailable", "malformed")


async def test_a_stream_that_stops_is_no_reply() -> None:
    started = time.monotonic()
    error = await trouble_of(*events()[:3], 60.0, idle=0.2)
    assert "stopped for 0.2 seconds" in str(error)
    assert time.monotonic() - started < 5


async def test_the_first_part_may_take_longer_and_comments_count() -> None:
    assert await text_of(0.5, *events(), idle=0.25) == TEXT
    waiting: list[bytes | float] = [b": wait\n\n", 0.15] * 4
    assert await text_of(events()[0], *waiting, *events()[1:], idle=0.25) == TEXT


async def test_an_outer_deadline_is_not_an_idle_time() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await read_body(response([events()[0], 60.0]), idle=50)


@pytest.mark.parametrize("end", [httpx2.ReadError("reset"), 60.0], ids=["reset", "silence"])
async def test_a_finished_reply_needs_no_end(monkeypatch: pytest.MonkeyPatch, end: Exception | float) -> None:
    monkeypatch.setattr(response_body, "FINISHED_SECONDS", 0.2)
    started = time.monotonic()
    body = await body_of(*events()[:-2], end)
    assert (body["choices"][0]["message"]["content"], body["usage"]) == (TEXT, None)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("end", [httpx2.ReadError("reset"), 60.0], ids=["reset", "silence"])
async def test_nothing_is_expected_after_done(end: Exception | float) -> None:
    started = time.monotonic()
    assert await text_of(*events(), end) == TEXT
    assert time.monotonic() - started < 2


async def test_the_rest_is_read_so_that_the_connection_can_be_used_again() -> None:
    left: list[str] = []

    async def body() -> AsyncIterator[bytes]:
        for one in events():
            yield one
        await asyncio.sleep(0.01)
        yield b"\n"
        left.append("read to its end")

    await read_body(httpx2.Response(200, content=body(), request=httpx2.Request("POST", "http://host/")), idle=5)
    assert left == ["read to its end"]


@pytest.mark.parametrize(
    "garbage",
    [
        b'data: {"choices":[{"delta":{"conte\n\n',
        b"data: ping\n\n",
        b"data: null\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        b"data: <html>\ndata: </html>\n\n",
        b'data: {"a": "\xff"}\n\n',
        b'data: {"choices": []}\ndata: x\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
        b"data: \xc3",
    ],
)
async def test_garbage_is_no_reply(garbage: bytes) -> None:
    error = await trouble_of(*events()[:3], garbage)
    assert error.reason == "malformed"
    assert len(str(error)) < 500


@pytest.mark.parametrize("name", [b"ping", b"keepalive", b"heartbeat"])
async def test_an_event_of_another_name_may_hold_any_text(name: bytes) -> None:
    sent = events()
    body = await body_of(sent[0], b"event: " + name + b"\ndata: 2026-12-01\n\n", *sent[1:])
    assert body == await body_of(*sent)


# --- errors -------------------------------------------------------------------------------------------------------

QUOTA = {"message": "top up", "type": "exceeded_current_quota_error"}


@pytest.mark.parametrize(
    ("sent", "reason", "text"),
    [
        (event(json.dumps({"error": QUOTA})), "quota", "top up"),
        (b"event: error\n" + event(json.dumps({"error": QUOTA})), "quota", "top up"),
        (b"event: error\n" + event(json.dumps(QUOTA)), "quota", "top up"),
        (b"event: error\n" + event("the engine died"), "unavailable", "the engine died"),
        (event(json.dumps({"error": {"message": "overloaded", "code": 503}})), "unavailable", "overloaded"),
        (
            event(json.dumps({"choices": [{"delta": {}, "error": {"code": 502, "message": "cut"}}]})),
            "unavailable",
            "cut",
        ),
    ],
)
async def test_an_error_in_the_middle_decides(sent: bytes, reason: str, text: str) -> None:
    before, done = events()[:3], event("[DONE]")
    kinds: list[list[bytes | float]] = [[sent], [*before, sent], [*before, sent, done], [*before, sent, 60.0]]
    for parts in kinds:
        body = await read_body(response(parts), idle=5)
        with pytest.raises(ModelError, match=text) as caught:
            read_completion(body, tools={}, tools_allowed=True, prompt_bytes=1)
        assert caught.value.reason == reason


async def test_the_error_of_a_host_comes_before_its_broken_connection() -> None:
    body = await body_of(event(json.dumps({"error": QUOTA})), httpx2.ReadError("reset"))
    assert body == {"error": QUOTA}


# --- any completion, any bytes ------------------------------------------------------------------------------------


def read(body: bytes) -> object:
    """Return the reply of a body, without the usage, which is estimated from the bytes; or the error."""
    try:
        reply = read_completion(body, tools=TOOLS, tools_allowed=True, prompt_bytes=9)
    except ModelError as error:
        return error.reason
    return reply.model_dump(exclude={"usage"})


COMPLETIONS = [answer for answer in ANSWERS if isinstance(answer, dict) and "id" in answer]
_texts: st.SearchStrategy[str] = st.text(st.characters(codec=None), max_size=40) | st.sampled_from(
    [TEXT, "<think>hm</think>x", " ", "\r\n"]
)
_call: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "functions.search_logs:0"]),
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {
                "name": st.sampled_from([*TOOLS]),
                "arguments": st.dictionaries(_texts, _texts, max_size=3).map(json.dumps),
            }
        ),
    }
)
_messages: st.SearchStrategy[JsonObject] = st.fixed_dictionaries(
    {"content": st.one_of(st.none(), _texts)},
    optional={
        "reasoning_content": _texts,
        "tool_calls": st.lists(_call, max_size=4, unique_by=lambda call: str(call["id"])),
    },
)


@settings(deadline=None, max_examples=200)
@given(message=_messages, finish=st.sampled_from(["stop", "tool_calls", "length"]), data=st.data())
async def test_a_streamed_completion_is_read_like_any_other(
    message: JsonObject, finish: str, data: st.DataObject
) -> None:
    whole = completion(message, finish)
    body = b"".join(streamed(whole, include_usage=True))
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=30).map(sorted))
    parts = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]
    assert read(await read_body(response(parts), idle=5)) == read(json.dumps(whole).encode())


@pytest.mark.parametrize("answer", COMPLETIONS, ids=range(len(COMPLETIONS)))
async def test_the_completions_of_known_hosts(answer: JsonObject) -> None:
    assert read(await read_body(response(streamed(answer, include_usage=True)), idle=5)) == read(
        json.dumps(answer).encode()
    )


_lines = st.lists(
    st.sampled_from(
        [*events()[:4], event("[DONE]"), b"\n", b"\r", b": x\n", b"data", b"data:", b"event: error\n", b"{}"]
    )
    | st.binary(max_size=20),
    max_size=12,
)


@settings(deadline=None, max_examples=300)
@given(lines=_lines)
async def test_any_bytes_are_a_body_or_an_error(lines: list[bytes]) -> None:
    try:
        assert isinstance(await read_body(response(lines), idle=5), bytes)
    except UnreadableBody as error:
        assert error.reason in ("unavailable", "malformed")
