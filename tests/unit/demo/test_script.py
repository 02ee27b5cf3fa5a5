"""The scenes of the demo, over HTTP, with tools that return what each test needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.model_requests import SYSTEM, reply_message, result, tool
from watchkeeper.contracts import JsonObject
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.testing.scripted_model import ScriptedModel

INCIDENT = (
    "Checkout users are reporting failed orders in the last few minutes. "
    "Find out what is going on and take the appropriate action."
)
SERVICE: JsonObject = {"type": "string", "enum": ["checkout", "payments", "search"]}
TEXT: JsonObject = {"type": "string"}
TOOLS = [
    tool("get_deploys", service=SERVICE, hours={"type": "integer"}),
    tool("get_service_health", service=SERVICE),
    tool("page_engineer", team=SERVICE, summary=TEXT, severity=TEXT),
    tool("search_logs", service=SERVICE, query=TEXT, minutes={"type": "integer"}),
]
PAGE = {"tool_choice": {"type": "function", "function": {"name": "page_engineer"}}}
NPE = (
    "2026-11-22T13:42:07.126Z ERROR checkout v2.4.1 POST /api/checkout 500 3729ms order=ord_1 "
    'java.lang.NullPointerException: Cannot invoke "com.acme.promo.Promotion.code()" because "promotion" is null '
    "at com.acme.checkout.CheckoutController.applyPromo(CheckoutController.java:118) release=v2.4.1 "
    "first_seen=2026-11-22T13:42:07Z"
)

Tool = Callable[[JsonObject], JsonObject]


def health(arguments: JsonObject) -> JsonObject:
    if arguments["service"] == "checkout":
        return {"service": "checkout", "status": "degraded", "error_rate": 0.182, "p95_latency_ms": 4200}
    return {"service": arguments["service"], "status": "healthy", "error_rate": 0.002, "p95_latency_ms": 180}


def deploys(arguments: JsonObject) -> JsonObject:
    newest = {"version": "v2.4.1", "deployed_at": "2026-11-22T13:30:00Z"}
    return {"deploys": [newest, {"version": "v2.4.0", "deployed_at": "2026-11-21T16:00:00Z"}]}


def logs(arguments: JsonObject) -> JsonObject:
    found = [NPE] if arguments["service"] == "checkout" else []
    return {"total": len(found), "lines": [{"at": line[:24], "line": line} for line in found]}


def page(arguments: JsonObject) -> JsonObject:
    return {"team": arguments["team"], "status": "triggered", "incident": "INC-4827", "dedup_key": "k"}


GOOD: dict[str, Tool] = {
    "get_service_health": health,
    "get_deploys": deploys,
    "search_logs": logs,
    "page_engineer": page,
}


def broken(error: str) -> Tool:
    return lambda arguments: {"error": error}


class Session:
    """A conversation with the scripted engineer. Its tool calls are run until it answers."""

    def __init__(self, http: AsyncClient, url: str, tools: dict[str, Tool]) -> None:
        self._http, self._url, self._tools = http, url, tools
        self.messages: list[JsonObject] = [SYSTEM]
        self.rounds: list[list[tuple[str, Any]]] = []

    async def ask(self, text: str, **first: Any) -> str:
        self.messages.append({"role": "user", "content": text})
        self.rounds = []
        for _ in range(8):
            message = await reply_message(
                self._http, self._url, {"model": "m", "messages": self.messages, "tools": TOOLS, **first}
            )
            first = {}
            self.messages.append(message)
            if "tool_calls" not in message:
                return str(message["content"])
            self.rounds.append([self._run(call) for call in message["tool_calls"]])
        raise AssertionError(f"no answer after {len(self.rounds)} rounds")

    def _run(self, call: JsonObject) -> tuple[str, Any]:
        name, arguments = call["function"]["name"], json.loads(call["function"]["arguments"])
        self.messages.append(result(call["id"], json.dumps(self._tools[name](arguments))))
        return name, arguments

    @property
    def called(self) -> list[list[str]]:
        return [[name for name, _ in calls] for calls in self.rounds]


class Harness:
    def __init__(self, http: AsyncClient, url: str) -> None:
        self.http, self.url = http, url

    def session(self, **tools: Tool) -> Session:
        return Session(self.http, self.url, GOOD | tools)


@pytest.fixture
async def harness(http: AsyncClient) -> Any:
    model = ScriptedModel(on_call_engineer)
    async with model.serve() as url:
        yield Harness(http, url)
    assert model.prefix_violations() == []


async def test_the_incident_takes_three_rounds(harness: Harness) -> None:
    session = harness.session()
    report = await session.ask(INCIDENT)
    assert session.called == [["get_service_health", "get_deploys", "search_logs"], ["page_engineer"]]
    (_, paged) = session.rounds[1][0]
    assert paged["team"] == "checkout"
    for fact in (
        "18.2%",
        "4,200 ms",
        "NullPointerException in CheckoutController.applyPromo since 13:42 UTC",
        "v2.4.1 went live at 13:30 UTC",
    ):
        assert fact in paged["summary"]
    for fact in (
        "error rate is **18.2%** and p95 latency is **4,200 ms**",
        "Deploy **v2.4.1** went live at 13:30 UTC.",
        "**NullPointerException in `CheckoutController.applyPromo`** starting at 13:42 UTC, tied directly to the new",
        "Paged the checkout on-call engineer and opened **INC-4827**",
        "Roll back checkout to **v2.4.0**",
    ):
        assert fact in report


async def test_every_reply_has_reasoning(harness: Harness) -> None:
    session = harness.session()
    await session.ask(INCIDENT)
    replies = [message for message in session.messages if message["role"] == "assistant"]
    assert len(replies) == 3
    assert all(reply["reasoning_content"] for reply in replies)


async def test_a_healthy_service_pages_no_one(harness: Harness) -> None:
    session = harness.session(get_service_health=lambda a: health({"service": "search"}), search_logs=lambda a: {})
    report = await session.ask(INCIDENT)
    assert session.called == [["get_service_health", "get_deploys", "search_logs"]]
    assert "checkout is healthy" in report and "None. No one was paged." in report
    assert "18.2%" not in report and "Roll back" not in report


async def test_it_reports_only_the_tool_results(harness: Harness) -> None:
    session = harness.session(
        get_service_health=lambda a: {"status": "down", "error_rate": 0.97, "p95_latency_ms": 30_000},
        get_deploys=lambda a: {"deploys": [{"version": "v9", "deployed_at": "2026-01-02T03:04:05Z"}]},
        search_logs=lambda a: {"lines": [{"at": "2026-01-02T03:05:00Z", "line": "no route"}]},
        page_engineer=lambda a: {"status": "triggered", "incident": None},
    )
    report = await session.ask(INCIDENT)
    for fact in (
        "checkout is down: error rate is **97%** and p95 latency is **30,000 ms**",
        "Deploy **v9** went live on 2026-01-02. The logs show no exception; the cause is not known.",
        "Paged the checkout on-call engineer and its incident number is not known yet",
        "Let the team look at checkout",
    ):
        assert fact in report
    assert "tied directly" not in report


async def test_a_service_that_cannot_be_read_is_reported_and_paged(harness: Harness) -> None:
    session = harness.session(get_service_health=broken("no Prometheus"), search_logs=broken("no Loki"))
    report = await session.ask(INCIDENT)
    assert session.called[1] == ["page_engineer"]
    assert "the health of checkout could not be read: no Prometheus." in report
    assert "The logs could not be searched: no Loki." in report


async def test_a_failed_page_is_reported_and_not_repeated(harness: Harness) -> None:
    session = harness.session(page_engineer=broken("denied by dana"))
    report = await session.ask(INCIDENT)
    assert len(session.rounds) == 2
    assert "Paging the checkout on-call engineer failed: denied by dana" in report
    assert "Page the checkout on-call engineer by hand." in report


async def test_a_question_takes_one_call(harness: Harness) -> None:
    session = harness.session()
    answer = await session.ask("What is the current error rate on the payments service?")
    assert session.rounds == [[("get_service_health", {"service": "payments"})]]
    assert answer == (
        "payments is **healthy** with an error rate of **0.2%** and a p95 latency of **180 ms**. "
        "No immediate action is required."
    )


async def test_a_question_about_a_service_that_cannot_be_read(harness: Harness) -> None:
    answer = await harness.session(get_service_health=broken("timed out.")).ask("How is search doing?")
    assert answer == "search is **unknown** (timed out). **Next action:** investigate search."


async def test_a_snapshot_takes_one_round(harness: Harness) -> None:
    session = harness.session()
    answer = await session.ask("Give me a health snapshot of checkout, payments, and search.")
    assert session.rounds == [
        [("get_service_health", {"service": service}) for service in ("checkout", "payments", "search")]
    ]
    assert answer == (
        "checkout is **degraded** with an error rate of **18.2%** and a p95 latency of **4,200 ms**; "
        "payments is **healthy** with an error rate of **0.2%** and a p95 latency of **180 ms**; "
        "search is **healthy** with an error rate of **0.2%** and a p95 latency of **180 ms**. "
        "**Next action:** investigate checkout."
    )


async def test_a_forced_page_comes_with_its_context(harness: Harness) -> None:
    session = harness.session()
    report = await session.ask("Page the checkout team: orders with promotions fail.", **PAGE)
    assert session.called == [["page_engineer", "get_service_health", "get_deploys"]]
    assert session.rounds[0][0][1]["summary"] == "Page the checkout team: orders with promotions fail."
    assert "opened **INC-4827**" in report


async def test_a_required_call_is_made(harness: Harness) -> None:
    session = harness.session()
    await session.ask("How is search doing?")
    await session.ask("Thank you.", tool_choice="required")
    assert len(session.rounds) == 1


async def test_without_a_named_service_it_looks_at_all_and_reports_the_failing_one(harness: Harness) -> None:
    session = harness.session()
    report = await session.ask("Something is broken. Find out what.")
    assert session.called == [["get_service_health", "get_deploys", "search_logs"] * 3, ["page_engineer"]]
    assert "INC-4827" in report and "payments" not in report


async def test_any_other_message_is_answered_with_the_health_of_all_services(harness: Harness) -> None:
    session = harness.session()
    assert "payments is **healthy**" in await session.ask("Hello.")
    assert session.called == [["get_service_health"] * 3]


async def test_a_follow_up_looks_again_but_pages_no_one_twice(harness: Harness) -> None:
    session = harness.session()
    await session.ask(INCIDENT)
    assert "checkout is **degraded**" in await session.ask("Is it fixed now?")
    assert session.called == [["get_service_health"]]
    await session.ask("Checkout is failing again, investigate.")
    assert session.called == [["get_service_health", "get_deploys", "search_logs"]]


async def test_a_resolved_alert_is_no_new_incident(harness: Harness) -> None:
    session = harness.session()
    await session.ask(INCIDENT)
    await session.ask("Alert CheckoutErrors on checkout resolved.")
    assert session.called == [["get_service_health"]]


async def test_in_its_last_round_it_reports_what_it_has(harness: Harness, http: AsyncClient) -> None:
    asked: JsonObject = {"model": "m", "messages": [SYSTEM, {"role": "user", "content": INCIDENT}]}
    first = await reply_message(http, harness.url, asked | {"tools": TOOLS})
    answers = [
        result(call["id"], json.dumps(GOOD[call["function"]["name"]](json.loads(call["function"]["arguments"]))))
        for call in first["tool_calls"]
    ]
    enough: JsonObject = {"role": "user", "content": "You have no tool calls left. Write your report now."}
    asked["messages"] += [first, *answers, enough]
    report = (await reply_message(http, harness.url, asked))["content"]
    assert "error rate is **18.2%**" in report
    assert "None. No one was paged." in report
    assert "Page the checkout on-call engineer by hand. Roll back checkout to **v2.4.0**" in report


async def test_without_any_result_it_says_so(harness: Harness, http: AsyncClient) -> None:
    asked: JsonObject = {"model": "m", "messages": [{"role": "user", "content": INCIDENT}]}
    assert (await reply_message(http, harness.url, asked))["content"].startswith(
        "**Status:** the health of checkout was not measured."
    )


async def test_it_calls_only_the_offered_tools(harness: Harness, http: AsyncClient) -> None:
    asked: JsonObject = {"model": "m", "messages": [{"role": "user", "content": INCIDENT}], "tools": TOOLS[1:2]}
    message = await reply_message(http, harness.url, asked)
    assert [call["function"]["name"] for call in message["tool_calls"]] == ["get_service_health"]
