"""When a page may be sent, and to whom without approval."""

from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.contracts import CallRecord, CallStatus, Incident, PageRules, RequestedCall
from watchkeeper.incident.page_gate import MEASURED, PageGate

RULES = PageRules(
    incident=Incident(title="Checkout fails"),
    owners={"checkout": "shop", "search": "shop", "payments": "money"},
    others=["night"],
    teams=["shop"],
    approval=60,
    look_first="look",
)
READS = ("look", "search_logs")


def gate(*, teams: list[str] | None = None, forced: str | None = None) -> PageGate:
    rules = RULES if teams is None else RULES.model_copy(update={"teams": teams})
    return PageGate(rules, READS, forced)


def record(
    name: str = "look", status: CallStatus = "ok", arguments: str = '{"service":"checkout"}', finding: str = "{}"
) -> CallRecord:
    return CallRecord(key="r1.0", name=name, arguments=arguments, status=status, finding=finding)


def page(**arguments: Any) -> RequestedCall:
    return RequestedCall(name="page_engineer", arguments=json.dumps(arguments))


@pytest.mark.parametrize(
    ("before", "looked"),
    [
        ([], False),
        ([record()], True),
        ([record("page_engineer")], False),
        ([record("restart")], False),
        *(([record(status=status)], False) for status in ("error", "rejected", "denied", "expired", "running")),
        ([record(status="error"), record("search_logs")], True),
    ],
)
def test_a_successful_read_comes_first(before: list[CallRecord], looked: bool) -> None:
    assert gate().is_allowed_to_page(page(service="checkout"), before) is looked
    assert gate(forced="page_engineer").is_allowed_to_page(page(service="checkout"), before)
    assert gate(forced="look").is_allowed_to_page(page(service="checkout"), before) is looked


@pytest.mark.parametrize(
    ("arguments", "approve"),
    [
        ({"service": "checkout"}, None),
        ({"service": "search"}, None),
        ({"service": "payments"}, "money"),
        ({"service": "unknown"}, None),
        ({"service": ["payments"]}, None),
        ({"team": "shop"}, None),
        ({"team": "money"}, "money"),
        ({"team": "night"}, "night"),
        ({"team": "unknown"}, None),
        ({"service": "checkout", "team": "money"}, None),
        ({"service": None, "team": "money"}, "money"),
        ({}, None),
    ],
)
def test_another_team_needs_approval(arguments: dict[str, Any], approve: str | None) -> None:
    assert gate().team_to_approve(page(**arguments), [record()]) == approve
    assert gate(forced="page_engineer").team_to_approve(page(**arguments), [record()]) == approve


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '"checkout"', "null"])
def test_arguments_that_cannot_be_read_need_no_approval(text: str) -> None:
    assert gate().team_to_approve(RequestedCall(name="page_engineer", arguments=text), [record()]) is None


@pytest.mark.parametrize(
    ("read", "approve"),
    [
        (record(), None),
        (record(arguments='{"service":"search"}'), None),
        (record(arguments='{"service":"payments"}'), "shop"),
        (record(status="error"), "shop"),
        (record(arguments='{"services":["payments","checkout"]}'), None),
        (record(arguments='{"query":"a", "service": "checkout", "text":"cut he… (+900 bytes)'), None),
        (record(arguments="{}"), "shop"),
        (record("restart"), "shop"),
    ],
)
def test_without_a_service_the_owners_of_what_was_read_need_no_approval(read: CallRecord, approve: str | None) -> None:
    assert gate(teams=[]).team_to_approve(page(service="checkout"), [read]) == approve


@pytest.mark.parametrize("forced", [None, "page_engineer"])
def test_without_an_owner_a_read_allows_no_page_to_another_team(forced: str | None) -> None:
    rules = RULES.model_copy(update={"teams": [], "unowned": True})
    unowned = PageGate(rules, READS, forced)
    assert unowned.team_to_approve(page(service="checkout"), [record()]) == "shop"
    assert unowned.team_to_approve(page(service="payments"), [record()]) == "money"
    fallback = PageGate(rules.model_copy(update={"teams": ["night"]}), READS, forced)
    assert fallback.team_to_approve(page(team="night"), [record()]) is None
    assert fallback.team_to_approve(page(service="checkout"), [record()]) == "shop"


def test_a_page_that_a_person_forced_without_a_service_needs_no_approval() -> None:
    assert gate(teams=[], forced="page_engineer").team_to_approve(page(service="payments"), []) is None


def test_the_latest_results_are_what_was_measured() -> None:
    found = [record(finding=json.dumps({"error_rate": number})) for number in range(5)]
    records = [*found, record(status="error", finding="x"), record("page_engineer", finding='{"incident":"INC-1"}')]
    incident = gate().incident(records)
    assert incident.measured == [f"look: error_rate {number}" for number in range(5 - MEASURED, 5)]
    assert gate().incident([]) == RULES.incident
    (long,) = gate().incident([record(finding="é" * 1_000)]).measured
    assert len(long.encode()) < 300
