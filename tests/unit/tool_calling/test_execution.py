from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import current_thread
from typing import Any

import pytest
from httpx2 import AsyncClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, model_serializer

from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ToolResult, digest_of
from watchkeeper.tool import Arguments, Service, Tool, ToolCall, ToolContext, ToolError, ToolUnavailable, tool
from watchkeeper.tool_calling.execution import is_small, run_tool

SETTINGS = build_settings(services={"checkout": {"team": "shop"}}, model={"api_key": "k3y-of-the-model"})
AT = datetime(2026, 11, 22, 13, 44, tzinfo=UTC)
HTTP = AsyncClient()


class Ask(Arguments):
    service: Service = "checkout"
    text: str = ""


class Nothing(Arguments):
    pass


def returning(answer: Callable[[Ask, ToolContext], Any], **options: Any) -> Tool[Ask]:
    @tool(**{"effect": "read", **options})
    async def ask_something(args: Ask, context: ToolContext) -> Any:
        """Ask."""
        return answer(args, context)

    return ask_something


async def result(tool: Tool[Any], arguments: str = "{}", settings: Settings = SETTINGS) -> ToolResult:
    call = ToolCall(run="run-1", key="r3.0", arguments=arguments)
    return await run_tool(tool, call, settings=settings, http=HTTP, at=AT, attempt=2)


async def test_a_tool_gets_its_arguments_and_its_context() -> None:
    seen: list[tuple[Ask, ToolContext]] = []
    ask = returning(lambda args, context: seen.append((args, context)))
    outcome = await result(ask, '{"text": "a"}')
    ((args, context),) = seen
    assert (args.text, context.at, context.attempt, context.settings, context.http) == ("a", AT, 2, SETTINGS, HTTP)
    assert context.call == ToolCall(run="run-1", key="r3.0", arguments='{"text": "a"}')
    assert context.idempotency_key == ask.idempotency_key(context.call, args)
    assert (outcome.status, outcome.content) == ("ok", "null")


async def test_a_result_is_compact_json_and_only_what_is_set_is_recorded() -> None:
    outcome = await result(returning(lambda *_: {"b": 1, "a": ["é", None, 0.182]}))
    assert outcome.content == '{"b":1,"a":["é",null,0.182]}'
    assert outcome.digest == digest_of(outcome.content.encode())
    assert outcome.model_dump(exclude_unset=True) == {"content": outcome.content}


class Threaded(BaseModel):
    """Tells in which thread it was encoded."""

    @model_serializer
    def thread(self) -> str:
        return current_thread().name


@pytest.mark.parametrize(
    "output",
    [
        *("x" * 16_000, b"x" * 16_000, None, 1, 1.5, True, [], {}, ("a", 1)),
        {"lines": [{"at": "10:00", "text": "x" * 100, "labels": {"pod": "a", "level": 3}}] * 20},
    ],
)
def test_a_short_result_needs_no_thread(output: object) -> None:
    assert is_small(output)


@pytest.mark.parametrize(
    "output",
    [
        *("x" * 16_384, b"x" * 20_000, [1] * 16_384, {"x" * 20_000: 1}, dict.fromkeys(range(20_000))),
        *([["x" * 10_000], ["x" * 10_000]], {1, 2}, iter("a"), Decimal(1), {"a": [object()]}, Threaded()),
    ],
)
def test_a_large_result_or_one_with_its_own_encoding_is_encoded_in_a_thread(output: object) -> None:
    assert not is_small(output)


async def test_a_list_that_contains_itself_is_encoded_in_a_thread() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert not is_small(endless)


async def test_a_model_is_encoded_in_another_thread_than_the_event_loop() -> None:
    outcome = await result(returning(lambda args, context: Threaded()))
    assert outcome.content != json.dumps(current_thread().name)


async def test_bad_arguments_are_rejected_and_nothing_runs() -> None:
    ran: list[Ask] = []
    outcome = await result(returning(lambda args, _: ran.append(args)), '{"service": "shop"}')
    assert (outcome.status, ran) == ("rejected", [])
    assert json.loads(outcome.content)["arguments"][0]["at"] == "service"
    assert "cut" not in outcome.model_fields_set


def _raise(error: BaseException) -> Callable[..., Any]:
    def answer(*_: Any) -> Any:
        raise error

    return answer


async def test_a_refusal_is_a_result() -> None:
    outcome = await result(returning(_raise(ToolError("no index \ud83d of that name"))))
    assert (outcome.status, outcome.content) == ("error", '{"error":"no index \ufffd of that name"}')


async def test_an_outage_is_raised_with_the_delay_of_the_back_end() -> None:
    with pytest.raises(ToolUnavailable, match="busy") as caught:
        await result(returning(_raise(ToolUnavailable("busy", timedelta(seconds=7)))))
    assert caught.value.delay == timedelta(seconds=7)


@pytest.mark.parametrize("error", [KeyError("x"), TimeoutError("own"), ValueError("v")])
async def test_a_bug_is_raised_unchanged(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await result(returning(_raise(error)))
    assert caught.value is error


async def test_bad_data_inside_a_tool_is_not_the_models_fault() -> None:
    with pytest.raises(ValueError, match="validation error for Ask"):
        await result(returning(lambda *_: Ask.model_validate({"lost": 1})))


async def test_a_tool_that_times_out_is_retryable() -> None:
    @tool(effect="read", timeout=timedelta(seconds=0.05))
    async def sleepy(args: Ask, context: ToolContext) -> None:
        """Sleep."""
        await asyncio.sleep(30)

    with pytest.raises(ToolUnavailable, match=r"sleepy gave no result in 0\.05 s"):
        await result(sleepy)


async def test_a_cancelled_call_is_cancelled() -> None:
    @tool(effect="read")
    async def sleepy(args: Ask, context: ToolContext) -> None:
        """Sleep."""
        await asyncio.sleep(30)

    running = asyncio.create_task(result(sleepy))
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def _loop() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    "output",
    ["\ud83d\0", b"\xff", {1, 2}, {("a",): object()}, AT, math.nan, [math.inf], _loop(), 10**4000, lambda: None],
    ids=lambda output: type(output).__name__,
)
async def test_no_return_value_fails_a_call(output: object) -> None:
    outcome = await result(returning(lambda *_: output))
    assert outcome.status == "ok"
    assert "\0" not in outcome.content
    json.loads(outcome.content)
    outcome.content.encode()


async def test_a_large_result_is_cut_in_the_middle_and_says_so() -> None:
    lines = [f"line {number}" for number in range(10_000)]
    outcome = await result(returning(lambda *_: lines, max_bytes=5_000))
    whole = json.dumps(lines, separators=(",", ":"))
    content = json.loads(outcome.content)
    assert 4_900 < len(outcome.content.encode()) <= 5_000
    assert whole.startswith(content["head"]) and whole.endswith(content["tail"])
    assert outcome.cut == len(whole) - len(content["head"]) - len(content["tail"])
    assert f"{outcome.cut} of {len(whole)} bytes were cut" in content["truncated"]
    assert "narrow the question (service, text)" in content["truncated"]


@given(st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\x01é漢😀'), min_size=300), st.integers(1_024, 1_300))
async def test_a_result_is_never_larger_than_its_limit(text: str, max_bytes: int) -> None:
    text *= 5
    outcome = await result(returning(lambda *_: text, max_bytes=max_bytes))
    whole = json.dumps(text.replace("\0", "\ufffd"), ensure_ascii=False)
    size = len(outcome.content.encode())
    if len(whole.encode()) <= max_bytes:
        assert outcome.content == whole
        return
    assert size <= max_bytes
    content = json.loads(outcome.content)
    assert outcome.cut == len(whole.encode()) - len((content["head"] + content["tail"]).encode()) > 0
    assert whole.startswith(content["head"]) and whole.endswith(content["tail"])


async def test_a_large_error_is_cut_too() -> None:
    outcome = await result(returning(_raise(ToolError("\x01" * 1_900)), max_bytes=1_024))
    assert (outcome.status, len(outcome.content) <= 1_024, outcome.cut > 0) == ("error", True, True)


async def test_a_cut_result_of_a_tool_without_arguments() -> None:
    @tool(effect="read", max_bytes=1_024)
    async def dump_all(args: Nothing, context: ToolContext) -> str:
        """Dump."""
        return "x" * 2_000

    assert "no way to ask for less" in (await result(dump_all)).content


@pytest.mark.parametrize(
    "answer",
    [
        lambda *_: {"token k3y-of-the-model": ["Bearer k3y-of-the-model"]},
        _raise(ToolError("401: bad key k3y-of-the-model")),
    ],
)
async def test_no_secret_of_the_settings_is_in_a_result(answer: Callable[..., Any]) -> None:
    outcome = await result(returning(answer))
    assert "k3y" not in outcome.content
    assert "(secret)" in outcome.content
    json.loads(outcome.content)


async def test_no_secret_is_in_an_outage_nor_in_its_cause() -> None:
    def answer(*_: Any) -> Any:
        try:
            raise OSError("cannot send Bearer k3y-of-the-model")
        except OSError as error:
            raise ToolUnavailable(f"try later: {error}") from error

    with pytest.raises(ToolUnavailable, match=r"Bearer \(secret\)") as caught:
        await result(returning(answer))
    assert caught.value.__cause__ is None


async def test_a_secret_of_digits_leaves_numbers_alone() -> None:
    settings = build_settings(loki={"token": "123456"})
    outcome = await result(returning(lambda *_: {"total": 123456, "said": "is 123456"}), settings=settings)
    assert outcome.content == '{"total":123456,"said":"is (secret)"}'


async def test_a_short_secret_is_not_redacted() -> None:
    settings = build_settings(loki={"token": "shop"})
    assert (await result(returning(lambda *_: "shopping"), settings=settings)).content == '"shopping"'
