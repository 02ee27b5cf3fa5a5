"""Outages of model hosts, each tested with complete runs: a short one, one of the first host, one of every host.

A short outage costs no round. During an outage of the first host the fallback answers. If every host is out, the run
ends with a hand-off and one person is paged. All runs are concurrent, on one worker.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from starlette.types import ASGIApp
from temporalio.client import Client

from tests.support.fault_host import ALL_REQUESTS, FaultHost, Sent
from tests.support.harness import Harness, Run, failure, look, model_text, replies, run_harness
from tests.support.settings import KEY, paging_tables
from watchkeeper.contracts import LimitChanges, RunResult
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import Fault, drip, drop_connection, fault, hang, raw_body, reset_midway, truncated
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool_calling.catalogue import discover_tools

LOOK = calls(("look", {"service": "checkout"}))
REPORT = says("Checkout is down.")
COMPLETION = b'{"choices":[{"message":{"role":"assistant","content":"Checkout is down."}}]}'
JSON = "application/json"
DEADLINE = 2.0
"""Seconds one call may take, so that a host that hangs does not hold up the tests."""

SHORT = LimitChanges(duration=22)
"""Time limit of a run that no host answers. A host that hangs is asked from 0 to 2 s, 3 to 5 s and 7 to 9 s, and the
fallback from 13 to 15 s. The next attempt would begin at 23 s, so the call fails at 15 s. The other 7 s are for a slow
machine: if the limit cuts the last attempt, the run ends with ``limit_reached`` instead of ``failed``."""


def busy(retry_after: str) -> Fault:
    return fault(
        429, {"error": {"message": "slow down", "type": "rate_limit_reached_error"}}, {"retry-after": retry_after}
    )


def busy_for_a_second(app: ASGIApp) -> ASGIApp:
    return busy(format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True))(app)


OUTAGES: dict[str, tuple[Fault, str]] = {
    "model loading": (fault(503, {"error": {"message": "Loading model", "code": 503}}), "HTTP 503: Loading model"),
    "busy, in seconds": (busy("1"), "HTTP 429: slow down"),
    "busy, in milliseconds": (fault(429, "slow down", {"retry-after-ms": "700"}), "HTTP 429: 'slow down'"),
    "busy, by date": (busy_for_a_second, "HTTP 429: slow down"),
    "busy, without a time": (busy("soon"), "HTTP 429: slow down"),
    "overloaded": (fault(529, {"type": "error", "error": {"type": "overloaded_error"}}), "HTTP 529: "),
    "bad gateway": (
        fault(502, "<html><title>502 Bad Gateway</title></html>"),
        "HTTP 502: an HTML page (502 Bad Gateway)",
    ),
    "it hangs": (hang(30), "no whole answer from"),
    "it drips": (drip(COMPLETION, 0.2), "no whole answer from"),
    "half a body": (truncated(COMPLETION[:-20]), "no answer from"),
    "a reset in the body": (reset_midway(COMPLETION[:-20]), "no answer from"),
    "a reset": (drop_connection(), "no answer from"),
    "bad gzip": (raw_body(b"no gzip", JSON, headers={"content-encoding": "gzip"}), "no answer from"),
    "half the gzip": (
        raw_body(gzip.compress(COMPLETION)[:-9], JSON, headers={"content-encoding": "gzip"}),
        "ends too early",
    ),
    "an HTML page": (
        raw_body(b"<html><title>Sign in</title></html>", "text/html"),
        "No chat completion but an HTML page (Sign in)",
    ),
    "half the JSON": (raw_body(COMPLETION[:-20], JSON), "No chat completion"),
}

REFUSALS: dict[str, tuple[Fault, str, str]] = {
    "401": (fault(401, {"error": {"message": "Incorrect API key"}}), "ModelAuthentication", "Incorrect API key."),
    "403": (fault(403, {"error": {"message": "no access"}}), "ModelAuthentication", "no access."),
    "402": (fault(402, {"error": {"message": "no credit"}}), "ModelQuota", "no credit."),
    "429 exceeded_current_quota_error": (
        fault(429, {"error": {"message": "spent", "type": "exceeded_current_quota_error"}}, {"retry-after": "1"}),
        "ModelQuota",
        "spent.",
    ),
    "429 insufficient_quota": (
        fault(429, {"error": {"message": "spent", "code": "insufficient_quota"}}, {"x-should-retry": "true"}),
        "ModelQuota",
        "spent.",
    ),
}


@dataclass(frozen=True)
class Scene:
    """A worker with two model hosts, a simulated PagerDuty, and its runs."""

    harness: Harness
    hosts: tuple[FaultHost, FaultHost]
    world: World
    reports: Path
    runs: dict[str, Run]

    async def concluded(self, name: str) -> RunResult:
        return await self.runs[name].result()

    def request_counts(self, name: str) -> tuple[int, int]:
        """Return the number of requests that each host received."""
        first, second = (len(host.received[name]) for host in self.hosts)
        return first, second

    async def failed(self, name: str) -> tuple[str, str, RunResult]:
        """Return the error of a run that must fail; check that its hand-off was delivered and one page was sent."""
        run = self.runs[name]
        kind, message, hand_off = await failure(run)
        assert hand_off.status == "failed"
        assert message in hand_off.report.body
        assert hand_off.undelivered == []
        (written,) = self.reports.glob(f"{run.id}.md")
        assert hand_off.report.body in written.read_text()
        key = f"{run.first_execution_run_id}/page_engineer/checkout"
        (page,) = [page for page in self.world.pages.events if page.dedup_key == key]
        assert (page.summary or "").startswith(f"{name} · checkout · no conclusion: {message}"[:300])
        return kind, message, hand_off


@pytest.fixture(scope="module")
async def scene(client: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    first: dict[str, list[Sent]] = {}
    second: dict[str, list[Sent]] = {}
    for name, (trouble, _) in OUTAGES.items():
        first[f"{name}, passing"] = [trouble, LOOK, trouble, REPORT]
        first[f"{name}, first host"] = [LOOK, *[trouble] * ALL_REQUESTS]
        first[f"{name}, everywhere"] = [LOOK, *[trouble] * ALL_REQUESTS]
        second[f"{name}, everywhere"] = [trouble] * ALL_REQUESTS
    for name, refusal in [*((name, refusal) for name, (refusal, _, _) in REFUSALS.items()), ("a day", busy("86400"))]:
        first[f"{name}, first host"] = first[f"{name}, everywhere"] = [LOOK, *[refusal] * ALL_REQUESTS]
        second[f"{name}, everywhere"] = [refusal] * ALL_REQUESTS
    hosts = FaultHost(first, then=REPORT), FaultHost(second, then=REPORT)
    reports = tmp_path_factory.mktemp("reports")
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(World.running())
        fallback = {"base_url": await stack.enter_async_context(hosts[1].serve()), "name": "other", "api_key": KEY}
        settings = paging_tables(world, directory=reports)
        harness = await stack.enter_async_context(
            run_harness(
                client,
                hosts[0],
                tools={"look": look, "page_engineer": discover_tools()["page_engineer"]},
                model={"deadline": DEADLINE},
                fallbacks=[{**fallback, "deadline": DEADLINE}],
                **settings,
            )
        )

        async def start(name: str) -> Run:
            limits = SHORT if name.endswith(", everywhere") else None
            return await harness.start(name, service="checkout", limits=limits)

        # The runs with a time limit start and end first: beside the others, a busy machine would use up their time.
        limited = [name for name in first if name.endswith(", everywhere")]
        others = [name for name in first if name not in limited]
        runs = dict(zip(limited, await asyncio.gather(*map(start, limited)), strict=True))
        async with asyncio.timeout(60):
            await asyncio.gather(*(run.result() for run in runs.values()), return_exceptions=True)
        runs |= dict(zip(others, await asyncio.gather(*map(start, others)), strict=True))
        yield Scene(harness, hosts, world, reports, runs)


@pytest.mark.parametrize("name", OUTAGES)
async def test_a_short_outage_costs_no_round(scene: Scene, client: Client, name: str) -> None:
    result = await scene.concluded(f"{name}, passing")
    recorded = await replies(client, scene.runs[f"{name}, passing"])
    assert (result.status, model_text(result.report)) == ("concluded", "Checkout is down.")
    assert (result.rounds, result.tool_calls) == (2, 1)
    assert result.usage == recorded[0].usage + recorded[1].usage
    first, second = scene.request_counts(f"{name}, passing")
    assert first >= 4
    assert second == 0


@pytest.mark.parametrize("name", OUTAGES)
async def test_the_fallback_answers_during_an_outage_of_the_first_host(scene: Scene, client: Client, name: str) -> None:
    result = await scene.concluded(f"{name}, first host")
    recorded = await replies(client, scene.runs[f"{name}, first host"])
    assert (result.status, model_text(result.report), result.rounds) == ("concluded", "Checkout is down.", 2)
    assert [reply.model for reply in recorded] == [None, "other"]
    first, second = scene.request_counts(f"{name}, first host")
    assert first == 4
    assert second >= 1


@pytest.mark.parametrize("name", OUTAGES)
async def test_an_outage_of_every_host_ends_with_a_hand_off(scene: Scene, name: str) -> None:
    _, expected = OUTAGES[name]
    kind, message, hand_off = await scene.failed(f"{name}, everywhere")
    assert kind == "ModelUnavailable"
    assert message.startswith("ask failed: ")
    assert expected in message
    assert (hand_off.rounds, hand_off.tool_calls) == (1, 1)
    assert '`r1.0` look `{"service":"checkout"}`: {"service":"checkout","error_rate":0.182}' in hand_off.report.body
    first, second = scene.request_counts(f"{name}, everywhere")
    assert first >= 4
    assert second >= 1


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_host_that_refuses_the_key_or_the_account_is_asked_once(scene: Scene, name: str) -> None:
    result = await scene.concluded(f"{name}, first host")
    assert (result.status, result.rounds) == ("concluded", 2)
    assert scene.request_counts(f"{name}, first host") == (2, 1)
    _, kind, expected = REFUSALS[name]
    error_type, message, hand_off = await scene.failed(f"{name}, everywhere")
    assert error_type == kind
    assert expected in message
    assert (hand_off.rounds, hand_off.tool_calls) == (1, 1)
    assert scene.request_counts(f"{name}, everywhere") == (2, 1)


async def test_a_retry_delay_of_a_day_ends_the_run(scene: Scene) -> None:
    result = await scene.concluded("a day, first host")
    assert (result.status, result.rounds) == ("concluded", 2)
    assert scene.request_counts("a day, first host") == (2, 1)
    kind, message, _ = await scene.failed("a day, everywhere")
    assert kind == "ModelUnavailable"
    waits = "HTTP 429: slow down (it asks to wait for a day or longer)"
    assert message.startswith(f"ask failed: {waits}; fallback other: {waits}; the run cannot wait that long")
    assert scene.request_counts("a day, everywhere") == (2, 1)


@pytest.fixture
def unused_address() -> str:
    """Return the base URL of a port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


async def test_a_host_that_starts_late_is_asked_again(client: Client, unused_address: str) -> None:
    late = ScriptedModel([LOOK, REPORT], key=KEY)
    async with run_harness(client, [], model={"base_url": unused_address}) as harness:
        run = await harness.start()
        while not any(waiting.attempt > 1 for waiting in (await run.describe()).raw_description.pending_activities):
            await asyncio.sleep(0.05)
        async with late.serve(int(unused_address.split(":")[2].removesuffix("/v1"))):
            result = await run.result()
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 2, 1)
    assert len(late.requests) == 2


async def test_the_fallback_answers_if_the_first_host_is_unreachable(client: Client, unused_address: str) -> None:
    other = ScriptedModel([REPORT], key=KEY)
    async with other.serve() as url:
        fallbacks = [{"base_url": url, "name": "other", "api_key": KEY}]
        async with run_harness(client, [], model={"base_url": unused_address}, fallbacks=fallbacks) as harness:
            result = await (await harness.start()).result()
    assert (result.status, result.rounds, model_text(result.report)) == ("concluded", 1, "Checkout is down.")


async def test_a_person_is_paged_if_no_host_is_reachable(client: Client, unused_address: str) -> None:
    async with World.running() as world:
        tools = {"page_engineer": discover_tools()["page_engineer"]}
        async with run_harness(
            client, [], tools=tools, model={"base_url": unused_address}, **paging_tables(world)
        ) as harness:
            kind, message, _ = await failure(await harness.start(service="checkout", limits=LimitChanges(duration=5)))
        pages = world.pages.events
    assert kind == "ModelUnavailable"
    assert message.startswith(f"ask failed: no answer from {unused_address}: ConnectError")
    (page,) = pages
    assert page.team == "checkout"
    assert (page.summary or "").startswith(f"Checkout fails. · checkout · no conclusion: {message}"[:300])
