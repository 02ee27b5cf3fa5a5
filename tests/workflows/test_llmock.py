"""A third party's verdict: LLMock breaks the model's host, watches each attempt of a run, and grades the client.

Its stream faults cannot be put to this client, which does not stream. One of its rules we break on purpose, and only
when nothing answers for minutes: more than ten attempts at one call, as the budget of 15 minutes is used up in full,
one attempt a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from llmock.pytest_plugin import LLMock
from temporalio.client import Client

from tests.support.harness import Harness, failure, look, run_harness
from tests.support.settings import build_settings
from watchkeeper.contracts import LimitChanges, RunResult
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.errors import ModelError

CALM = LimitChanges(rounds=10)


@asynccontextmanager
async def on_llmock(client: Client, llmock: LLMock, **model: Any) -> AsyncIterator[Harness]:
    """A harness with one tool, its model played by LLMock, which calls the tool and then answers in words."""
    profile = {"base_url": llmock.base_url(), "name": "gpt-4o", **model}
    async with run_harness(client, [], tools={"look": look}, model=profile) as harness:
        yield harness


async def concluded(client: Client, llmock: LLMock, **model: Any) -> RunResult:
    async with on_llmock(client, llmock, **model) as harness:
        result = await (await harness.start("Look at checkout.", limits=CALM)).result()
    assert result.status == "concluded"
    assert not any(request.stream for request in llmock.requests)
    return result


async def refused(client: Client, llmock: LLMock, **limits: int) -> str:
    """Run into a failure and return its type."""
    async with on_llmock(client, llmock) as harness:
        kind, _, _ = await failure(await harness.start("Look at checkout.", limits=LimitChanges.model_validate(limits)))
    return kind


async def test_a_run_without_faults(client: Client, llmock: LLMock) -> None:
    result = await concluded(client, llmock)
    assert (result.rounds, result.tool_calls) == (2, 1)
    assert result.usage.tokens > 0
    assert not result.usage.estimated
    llmock.assert_resilient(strict=True)


Trouble = Callable[[LLMock], LLMock]


def failing(status: int) -> Trouble:
    return lambda llmock: llmock.fail(status, retry_after=0.05)


BROKEN: dict[str, Trouble] = {
    "rate limit": lambda llmock: llmock.rate_limit(times=2, retry_after=0.4),
    "no word on when to return": lambda llmock: llmock.fail(500, times=2),
    "arguments that are no JSON": lambda llmock: llmock.break_tool_call("malformed_arguments"),
    "a tool that was never offered": lambda llmock: llmock.break_tool_call("unknown_tool"),
    "all at once": lambda llmock: llmock.break_tool_call("unknown_tool").rate_limit().fail(500, retry_after=0.1),
    **{str(status): failing(status) for status in (408, 409, 429, 500, 502, 503, 504, 529)},
}


@pytest.mark.parametrize("trouble", BROKEN.values(), ids=BROKEN.keys())
async def test_a_run_concludes_despite_a_fault(client: Client, llmock: LLMock, trouble: Trouble) -> None:
    trouble(llmock)
    await concluded(client, llmock)
    verdict = llmock.verdict()
    verdict.assert_ok(strict=True)
    assert len(verdict.calls) == 2  # a retry sends the same bytes, so that LLMock knows it for one


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
    assert await refused(client, llmock) == kind
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_a_prompt_that_is_too_long_is_not_sent_again(client: Client, llmock: LLMock) -> None:
    llmock.limits(context_window=10)
    assert await refused(client, llmock) == "ContextOverflow"
    llmock.assert_resilient(strict=True)


async def test_an_outage_ends_the_run_after_a_few_spaced_attempts(client: Client, llmock: LLMock) -> None:
    llmock.outage()
    assert await refused(client, llmock, duration=5) == "ModelUnavailable"
    assert len(llmock.requests) == 4
    llmock.assert_resilient(strict=True)


async def use_up(harness: Harness, requests: int) -> None:
    endpoint = ModelClient(harness.settings.model)
    for number in range(requests):
        await endpoint.complete(b'{"model":"gpt-4o","messages":[{"role":"user","content":"%d"}]}' % number)
    await endpoint.close()


async def test_a_run_waits_for_a_quota(client: Client, llmock: LLMock) -> None:
    async with on_llmock(client, llmock) as harness:
        llmock.limits(rpm=20)  # one request is free every three seconds: on a busy machine the run starts in less
        await use_up(harness, 20)
        result = await (await harness.start("Look at checkout.", limits=CALM)).result()
    assert result.status == "concluded"
    assert any(request.status == 429 for request in llmock.requests)
    llmock.assert_resilient(strict=True)


async def test_concurrent_runs_respect_one_quota(client: Client, llmock: LLMock) -> None:
    async with on_llmock(client, llmock) as harness:
        llmock.limits(rpm=240)
        await use_up(harness, 240)
        runs = [await harness.start(f"Look at checkout, {number}.", limits=CALM) for number in range(10)]
        results = await asyncio.gather(*(run.result() for run in runs))
    assert {(result.status, result.rounds) for result in results} == {("concluded", 2)}
    verdict = llmock.verdict()
    assert len(verdict.calls) == 240 + 20
    assert verdict.attempts > len(verdict.calls), "the quota was never reached"
    verdict.assert_ok(strict=True)


PROVIDERS = ("mistral", "groq", "together", "perplexity", "ai21", "xai")
"""Those whose API is OpenAI's, but whose refusals are in their own words."""


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
    ("trouble", "kind"),
    [
        (lambda llmock: llmock.fail(401, times=None), "ModelAuthentication"),
        (lambda llmock: llmock.fail(404, times=None), "ModelRefused"),
        (lambda llmock: llmock.context_overflow(times=None), "ContextOverflow"),
        (lambda llmock: llmock.limits(context_window=10), "ContextOverflow"),
    ],
    ids=["key", "model", "overflow", "window"],
)
async def test_a_permanent_refusal_of_any_provider_is_not_retried(
    client: Client, llmock: LLMock, provider: str, trouble: Trouble, kind: str
) -> None:
    trouble(llmock)
    async with on_llmock(client, llmock, base_url=llmock.base_url(provider)) as harness:
        got, _, _ = await failure(await harness.start("Look at checkout."))
    assert got == kind
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


async def test_the_next_provider_answers_during_an_outage_of_the_first(client: Client, llmock: LLMock) -> None:
    llmock.outage(provider="openai")
    next_one = {"base_url": llmock.base_url("groq"), "name": "kimi", "api_key": "any"}
    async with run_harness(
        client, [], tools={"look": look}, model={"base_url": llmock.base_url()}, fallbacks=[next_one]
    ) as harness:
        result = await (await harness.start("Look at checkout.", limits=CALM)).result()
    assert (result.status, result.rounds) == ("concluded", 2)
    assert [request.provider for request in llmock.requests] == ["openai"] * 3 + ["groq"] + ["openai"] * 3 + ["groq"]
    llmock.assert_resilient(strict=True)


async def test_llmock_detects_wrong_retries(llmock: LLMock) -> None:
    """What the run does right, its endpoint alone does not: repeated at once, it is found out."""
    llmock.rate_limit(times=2, retry_after=2).fail(401)
    endpoint = ModelClient(build_settings(llmock.base_url()).model)
    for _ in range(4):
        try:
            await endpoint.complete(b'{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}')
        except ModelError:
            continue
    await endpoint.close()
    assert {finding.code for finding in llmock.verdict().errors} == {"retry_after_ignored", "retried_non_retryable"}
