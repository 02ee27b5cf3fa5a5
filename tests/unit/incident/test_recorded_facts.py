"""The facts block that code writes under every report."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from watchkeeper.contracts import CallRecord, CallStatus, Effect, PageRecord, ToolSpec
from watchkeeper.incident.phrases import CHECK_FIRST
from watchkeeper.incident.recorded_facts import CANNOT_PAGE, MAX_LINES, UNCLEAR, PagePlan, facts_block


def spec(name: str, effect: Effect, *, pages: bool = False) -> ToolSpec:
    return ToolSpec(name=name, description="", parameters={}, effect=effect, timeout=1, attempts=1, pages=pages)


TOOLS = [spec("look", "read"), spec("page_engineer", "keyed", pages=True), spec("restart", "once")]


def call(key: str, name: str, **more: Any) -> CallRecord:
    return CallRecord(**{"key": key, "name": name, "arguments": '{"service":"checkout"}', "status": "ok", **more})


def facts(*calls: CallRecord, plan: PagePlan | None = None, limit: str | None = None) -> list[str]:
    return facts_block(calls, TOOLS, plan or PagePlan(), limit)[2:]


def test_a_run_that_did_nothing_says_so() -> None:
    assert facts() == ["- No one was paged.", "- Looked at: nothing."]


def test_a_sent_page_names_team_number_and_call() -> None:
    sent = call("r2.0", "page_engineer", page=PageRecord(team="checkout", incident="INC-7"))
    assert facts(sent)[0] == "- Paged: checkout (INC-7, `r2.0`)."
    assert facts(sent.model_copy(update={"page": PageRecord(team="checkout")}))[0] == "- Paged: checkout (`r2.0`)."


def test_a_page_that_was_not_sent_says_why() -> None:
    refused = call("r2.0", "page_engineer", status="denied", finding="not run: denied by dana")
    assert facts(refused)[:2] == ["- Not paged: `r2.0` denied: not run: denied by dana", "- No one was paged."]
    unclear = call("r2.0", "page_engineer", status="unknown", finding="it did not answer in time")
    assert facts(unclear)[0].startswith("- May have paged: `r2.0` unknown: it did not answer")


@pytest.mark.parametrize("status", get_args(CallStatus))
def test_no_one_was_paged_is_said_only_where_it_is_sure(status: CallStatus) -> None:
    lines = facts(call("r2.0", "page_engineer", status=status), plan=PagePlan(is_possible=False))
    assert ("- No one was paged." in lines) == (status != "ok" and status not in UNCLEAR)
    assert (CANNOT_PAGE in lines) == (status != "ok")


def test_a_page_that_goes_out_with_the_report_is_named() -> None:
    lines = facts(plan=PagePlan("critical: alert still fires, and no one was paged"))
    assert lines[0] == "- A page is sent with this report: critical: alert still fires, and no one was paged."
    lines = facts(plan=PagePlan("no conclusion", "payments"))
    assert lines[0] == "- A page is sent with this report: no conclusion. It goes to payments."


def test_a_worker_that_can_page_nobody_says_so() -> None:
    assert facts(plan=PagePlan(is_possible=False))[:2] == [
        "- No one was paged.",
        CANNOT_PAGE,
    ]


def test_reads_are_counted_and_failures_named() -> None:
    calls = [call("r1.0", "look"), call("r1.1", "look", status="error"), call("r2.0", "look")]
    assert "- Looked at: look (checkout, 3 calls); 1 call of 3 failed." in facts(*calls)
    assert "- Looked at: look (checkout)." in facts(calls[0])


TARGETS = [
    ('{"service":"checkout"}', "look (checkout)"),
    ('{"services": ["checkout", "search"], "minutes": 30}', "look (checkout, search)"),
    ('{"namespace":"shop","pod":"checkout-1"}', "look (shop, checkout-1)"),
    ('{"minutes":30,"service":"checkout","query":"a long te', "look (checkout)"),
    ('{"query":"service checkout"}', "look"),
    ("{}", "look"),
    ('{"service":7}', "look"),
    ('{"services":[]}', "look"),
    ('{"services":["a","b","c","d","e","f","g"]}', "look (a, b, c, d, e, 2 more)"),
]


@pytest.mark.parametrize(("arguments", "said"), TARGETS)
def test_the_targets_of_reads_are_named(arguments: str, said: str) -> None:
    assert f"- Looked at: {said}." in facts(call("r1.0", "look", arguments=arguments))


def test_the_targets_of_several_reads_are_named_once() -> None:
    calls = [call(f"r1.{n}", "look", arguments=f'{{"service":"{name}"}}') for n, name in enumerate("abab")]
    assert "- Looked at: look (a, b, 4 calls)." in facts(*calls)


def test_changes_and_limits_are_listed() -> None:
    lines = facts(call("r3.0", "restart", status="unknown"), limit="stopped after 3 rounds without a conclusion")
    assert f"- Unclear: `r3.0` restart (service checkout) {CHECK_FIRST}." in lines
    assert "- Done: `r3.0` restart (service checkout)." in facts(call("r3.0", "restart"))
    assert "- Not done: `r3.0` restart (service checkout): denied." in facts(call("r3.0", "restart", status="denied"))
    assert lines[-1] == "- Cut short: stopped after 3 rounds without a conclusion."


def test_the_block_is_bounded_and_ignores_tools_that_do_not_exist() -> None:
    many = [call(f"r{number}.0", "restart") for number in range(100)]
    assert len(facts(*many, call("r101.0", "unknown_tool"))) == MAX_LINES + 2
