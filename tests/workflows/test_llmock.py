"""Tests with LLMock, which simulates faults of a model host and judges how the client retries.

The client breaks one of its rules on purpose: during an outage of several minutes it makes more than ten attempts, one
a minute, until its budget of 15 minutes is used.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from temporalio.client import Client

from tests.support.harness import Harness, failure, look, run_harness
from tests.support.settings import build_settings
from watchkeeper.contracts import LimitChanges, RunResult
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.errors import ModelError

LIMITS = LimitChanges(rounds=10)


@asynccontextmanager
async def on_llmock(client: Client, llmock: LLMock, **model: Any) -> AsyncIterator[Harness]:
    """Run a harness with one tool. Its model is LLMock, which calls the tool and then answers with text."""
    profile = {"base_url": llmock.base_url(), "name": "scripted", **model}  # LLMock answers with this name in its text
    async with run_harness(client, [], tools={"look": look}, model=profile) as harness:
        yield harness


async def concluded(client: Client, llmock: LLMock, **model: Any) -> RunResult:
    async with on_llmock(client, llmock, **model) as harness:
        result = await (await harness.start("Look at checkout.", limits=LIMITS)).result()
    assert result.status == "concluded"
    assert {request.stream for request in llmock.requests} == {model.get("stream", False)}
    return result


async def error_type_of(client: Client, llmock: LLMock, **limits: int) -> str:
    """Start a run that must fail; return the type of its error."""
    async with on_llmock(client, llmock) as harness:
        kind, _, _ = await failure(await harness.start("Look at checkout.", limits=LimitChanges.model_validate(limits)))
    return kind


@pytest.mark.parametrize("stream", [False, True])
async def test_a_run_without_faults(client: Client, llmock: LLMock, stream: bool) -> None:
    result = await concluded(client, llmock, stream=stream)
    assert (result.rounds, result.tool_calls) == (2, 1)
    assert result.usage.tokens > 0
    assert not result.usage.estimated
    llmock.assert_resilient(strict=True)


AddFault = Callable[[LLMock], LLMock]


def http_fault(status: int) -> AddFault:
    return lambda llmock: llmock.fail(status, retry_after=0.05)


FAULTS: dict[str, AddFault] = {
    "rate limit": lambda llmock: llmock.rate_limit(times=2, retry_after=0.4),
    "no Retry-After": lambda llmock: llmock.fail(500, times=2),
    "arguments that are not JSON": lambda llmock: llmock.break_tool_call("malformed_arguments"),
    "an unknown tool": lambda llmock: llmock.break_tool_call("unknown_tool"),
    "all at once": lambda llmock: llmock.break_tool_call("unknown_tool").rate_limit().fail(500, retry_after=0.1),
    **{str(status): http_fault(status) for status in (408, 409, 429, 500, 502, 503, 504, 529)},
}


@pytest.mark.parametrize("add_fault", FAULTS.values(), ids=FAULTS.keys())
async def test_a_run_concludes_despite_a_fault(client: Client, llmock: LLMock, add_fault: AddFault) -> None:
    add_fault(llmock)
    await concluded(client, llmock)
    verdict = llmock.verdict()
    verdict.assert_ok(strict=True)
    assert len(verdict.calls) == 2  # LLMock recognises a retry because it sends the same bytes


STREAM_FAULTS: dict[str, AddFault] = {
    **{
        f"{kind} after {chunks}": partial(add, after_chunks=chunks)
        for kind, add in (("disconnect", LLMock.disconnect), ("truncate", LLMock.truncate))
        for chunks in (0, 1, 4)
    },
    "disconnect twice": lambda llmock: llmock.disconnect(times=2),
    "truncate twice": lambda llmock: llmock.truncate(times=2),
    "stall": lambda llmock: llmock.stall(seconds=30),
    "slow first token": lambda llmock: llmock.slow_first_token(30),
    "broken arguments in a stream": lambda llmock: llmock.break_tool_call("malformed_arguments"),
    "all at once": lambda llmock: llmock.truncate().fail(500, retry_after=0.1).break_tool_call("unknown_tool"),
}


@pytest.mark.parametrize("add_fault", STREAM_FAULTS.values(), ids=STREAM_FAULTS.keys())
async def test_a_streamed_run_concludes_despite_a_fault(client: Client, llmock: LLMock, add_fault: AddFault) -> None:
    add_fault(llmock)
    result = await concluded(client, llmock, stream=True, stream_idle=0.5, deadline=3)
    assert not result.usage.estimated
    verdict = llmock.verdict()
    verdict.assert_ok(strict=True)
    assert len(verdict.calls) == 2


@pytest.mark.parametrize("chunks", [0, 1, 4])
async def test_a_run_concludes_despite_a_corrupt_chunk(client: Client, llmock: LLMock, chunks: int) -> None:
    llmock.corrupt(after_chunks=chunks)
    result = await concluded(client, llmock, stream=True)
    assert not result.usage.estimated
    # LLMock's verdict depends on time here: if it sends the rest of the stream before the client closes the connection,
    # it counts the retry as another call. The same body a second time shows the retry.
    first, retry, second_round = (request.fingerprint for request in llmock.requests)
    assert first == retry != second_round


async def test_a_slow_stream_is_read_to_its_end(client: Client, llmock: LLMock) -> None:
    llmock.pace(100)
    await concluded(client, llmock, stream=True, stream_idle=0.5)
    assert len(llmock.requests) == 2


@pytest.mark.parametrize("provider", ["openai", "mistral", "groq", "together", "perplexity", "ai21", "xai"])
async def test_a_streamed_run_concludes_at_every_provider(client: Client, llmock: LLMock, provider: str) -> None:
    llmock.truncate(provider=provider).disconnect(provider=provider, after_chunks=2)
    await concluded(client, llmock, base_url=llmock.base_url(provider), stream=True)
    llmock.assert_resilient(strict=True)
    assert len(llmock.requests) == 4


async def test_a_slow_host_is_asked_again(client: Client, llmock: LLMock) -> None:
    llmock.delay(2)
    await concluded(client, llmock, deadline=1)
    assert len(llmock.requests) == 3
    llmock.assert_resilient()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "ModelRefused"),
        (401, "ModelAuthentication"),
        (403, "ModelAuthentication"),
        (404, "ModelRefused"),
        (422, "ModelRefused"),
    ],
)
async def test_a_permanent_refusal_is_not_retried(client: Client, llmock: LLMock, status: int, kind: str) -> None:
    llmock.fail(status, times=None)
    assert await error_type_of(client, llmock) == kind
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_a_prompt_that_is_too_long_is_not_sent_again(client: Client, llmock: LLMock) -> None:
    llmock.limits(context_window=10)
    assert await error_type_of(client, llmock) == "ContextOverflow"
    llmock.assert_resilient(strict=True)


async def test_an_outage_ends_the_run_after_a_few_spaced_attempts(client: Client, llmock: LLMock) -> None:
    llmock.outage()
    assert await error_type_of(client, llmock, duration=5) == "ModelUnavailable"
    assert len(llmock.requests) == 4
    llmock.assert_resilient(strict=True)


async def use_quota(harness: Harness, requests: int) -> None:
    endpoint = ModelClient(harness.settings.model)
    for number in range(requests):
        await endpoint.complete(b'{"model":"gpt-4o","messages":[{"role":"user","content":"%d"}]}' % number)
    await endpoint.close()


async def test_a_run_waits_for_a_quota(client: Client, llmock: LLMock) -> None:
    async with on_llmock(client, llmock) as harness:
        llmock.limits(rpm=20)  # one request every three seconds; even on a busy machine the run starts sooner
        await use_quota(harness, 20)
        result = await (await harness.start("Look at checkout.", limits=LIMITS)).result()
    assert result.status == "concluded"
    assert any(request.status == 429 for request in llmock.requests)
    llmock.assert_resilient(strict=True)


async def test_concurrent_runs_respect_one_quota(client: Client, llmock: LLMock) -> None:
    async with on_llmock(client, llmock) as harness:
        llmock.limits(rpm=60)  # one request a second; even on a busy machine six runs ask more often
        await use_quota(harness, 60)
        runs = [await harness.start(f"Look at checkout, {number}.", limits=LIMITS) for number in range(6)]
        results = await asyncio.gather(*(run.result() for run in runs))
    assert {(result.status, result.rounds) for result in results} == {("concluded", 2)}
    verdict = llmock.verdict()
    assert len(verdict.calls) == 60 + 12
    assert verdict.attempts > len(verdict.calls), "the quota was never reached"
    verdict.assert_ok(strict=True)


PROVIDERS = ("mistral", "groq", "together", "perplexity", "ai21", "xai")
"""Providers with the API of OpenAI and their own error texts."""


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_run_concludes_at_every_provider(client: Client, llmock: LLMock, provider: str) -> None:
    llmock.rate_limit(retry_after=0.3, provider=provider).fail(529, retry_after=0.05, provider=provider)
    llmock.break_tool_call("malformed_arguments")
    await concluded(client, llmock, base_url=llmock.base_url(provider))
    verdict = llmock.verdict()
    verdict.assert_ok(strict=True)
    assert (len(verdict.calls), verdict.attempts, verdict.faults) == (2, 4, 2)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    ("add_fault", "kind"),
    [
        (lambda llmock: llmock.fail(401, times=None), "ModelAuthentication"),
        (lambda llmock: llmock.fail(404, times=None), "ModelRefused"),
        (lambda llmock: llmock.context_overflow(times=None), "ContextOverflow"),
        (lambda llmock: llmock.limits(context_window=10), "ContextOverflow"),
    ],
    ids=["key", "model", "overflow", "window"],
)
async def test_a_permanent_refusal_of_any_provider_is_not_retried(
    client: Client, llmock: LLMock, provider: str, add_fault: AddFault, kind: str
) -> None:
    add_fault(llmock)
    async with on_llmock(client, llmock, base_url=llmock.base_url(provider)) as harness:
        error_type, _, _ = await failure(await harness.start("Look at checkout."))
    assert error_type == kind
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_the_next_provider_answers_during_an_outage_of_the_first(client: Client, llmock: LLMock) -> None:
    llmock.outage(provider="openai")
    next_one = {"base_url": llmock.base_url("groq"), "name": "kimi", "api_key": "any"}
    async with run_harness(
        client, [], tools={"look": look}, model={"base_url": llmock.base_url()}, fallbacks=[next_one]
    ) as harness:
        result = await (await harness.start("Look at checkout.", limits=LIMITS)).result()
    assert (result.status, result.rounds) == ("concluded", 2)
    assert [request.provider for request in llmock.requests] == ["openai"] * 3 + ["groq"] + ["openai"] * 3 + ["groq"]
    llmock.assert_resilient(strict=True)


async def test_llmock_detects_wrong_retries(llmock: LLMock) -> None:
    """Without the waits of a run, requests are repeated at once, which LLMock must report."""
    llmock.rate_limit(times=2, retry_after=2).fail(401)
    endpoint = ModelClient(build_settings(llmock.base_url()).model)
    for _ in range(4):
        try:
            await endpoint.complete(b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}')
        except ModelError:
            continue
    await endpoint.close()
    assert {finding.code for finding in llmock.verdict().errors} == {"retry_after_ignored", "retried_non_retryable"}
