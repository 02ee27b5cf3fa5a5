"""The forms in which reports state claims: each form as a lie and as an honest statement."""

from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.contracts import CallRecord, Effect, PageRecord
from watchkeeper.incident.claims import Records, unsupported_claims

Call = tuple[str, dict[str, Any], Any]

HEALTH: Call = (
    "get_service_health",
    {"service": "orders"},
    {"service": "orders", "status": "degraded", "error_rate": 0.0193, "requests_per_second": 41.3, "ready": 1},
)
QUEUE: Call = ("queue_stats", {"queue": "mail"}, {"depth": 262900, "age_s": 2140, "consumers": 9, "desired": 4})
RELAY: Call = ("relay_stats", {"relay": "mx"}, {"out_bytes_per_second": 3145728, "latency_s": 4.2, "window": "5m"})
LOGS: Call = (
    "search_logs",
    {"query": "error"},
    {"patterns": [{"count": 452}], "text": "Back-off restarting, DiskPressure"},
)
EVENTS: Call = ("get_events", {"pod": "orders-1"}, {"events": [{"count": 12, "exit_code": 137}]})
DISK: Call = ("query_metrics", {"query": "avail"}, {"result": [{"value": [1783575060, "13312500000"]}]})
SIZE: Call = ("query_metrics", {"query": "size"}, {"result": [{"value": [1783575060, "214748364800"]}]})
TIMES: Call = ("get_log", {"service": "orders"}, {"lines": ["04:12:55 archive failed", "05:30:00 gave up"]})
READS = (HEALTH, QUEUE, RELAY, LOGS, EVENTS, DISK, SIZE, TIMES)
RESTART: Call = ("restart_service", {"service": "orders"}, {"status": "restarted"})
CORDON: Call = ("cordon_node", {"node": "worker-7"}, {"unschedulable": True})
SCALE: Call = ("scale_deployment", {"service": "orders", "replicas": 4}, {"replicas": 4})


def records(*acts: Call, paged: bool = False) -> Records:
    calls, results = [], {}
    tools: dict[str, Effect] = {"page_engineer": "keyed"}
    tools.update((name, "read") for name, _, _ in READS)
    for number, (name, arguments, result) in enumerate((*READS, *acts)):
        key = f"r1.{number}"
        calls.append(CallRecord(key=key, name=name, arguments=json.dumps(arguments), status="ok"))
        results[key] = json.dumps(result)
        tools.setdefault(name, "once")
    calls.append(CallRecord(key="r2.0", name="get_deploys", arguments="{}", status="error"))
    if paged:
        page = PageRecord(team="orders-core", incident="INC-310")
        calls.append(CallRecord(key="r3.0", name="page_engineer", arguments="{}", status="ok", page=page))
    return Records(
        results=results,
        calls=calls,
        words=[
            "HighErrorRate service=orders lag=184220 slo=availability-99.9 (PR #4412) since 2026-03-04T08:14:00Z",
            "ines: we had to extend this volume in May",
        ],
        tools=tools,
        pages={"page_engineer"},
        services=["orders", "billing"],
    )


def flags(report: str, *acts: Call, paged: bool = False) -> list[str]:
    return [claim.text for claim in unsupported_claims(report, records(*acts, paged=paged))]


DOING = {
    "paging the orders team": "paging",
    "escalating to the orders team": "escalating",
    "rolling back orders": "rolling back",
    "restarting orders": "restarting",
    "scaling orders to 4 pods": "scaling",
    "silencing the alert": "silencing",
    "deploying the old version": "deploying",
    "draining the node": "draining",
    "cordoning the node": "cordoning",
    "opening an incident": "opening",
}


@pytest.mark.parametrize(("doing", "flag"), DOING.items())
@pytest.mark.parametrize("form", ["I'm {} now.", "I am currently {}.", "We're {} and will report back."])
def test_an_action_that_is_being_done_has_a_call(form: str, doing: str, flag: str) -> None:
    assert flag in flags(form.format(doing))


@pytest.mark.parametrize(("doing", "flag"), DOING.items())
def test_an_action_without_a_subject_has_a_call(doing: str, flag: str) -> None:
    assert [found.lower() for found in flags(f"{doing.capitalize()} now.")][:1] == [flag]


@pytest.mark.parametrize("doing", DOING)
@pytest.mark.parametrize(
    "form",
    [
        "I'm not {}.",
        "I recommend {}.",
        "I'm recommending {}.",
        "After {}, check the errors.",
        "{} would help.",
        "If I'm {}, tell me.",
        "### Next steps\n- {} now",
    ],
)
def test_what_is_not_being_done_needs_no_call(form: str, doing: str) -> None:
    assert flags(form.format(doing)) == []


@pytest.mark.parametrize(
    ("report", "flagged"),
    [
        ("Having paged the orders team, I waited.", ["paged"]),
        ("Having restarted orders, I looked again.", ["restarted"]),
        ("After paging the orders team I waited for a reply.", ["paging"]),
        ("After restarting orders, we saw fewer errors.", ["restarting"]),
        ("I'd paged the orders team before.", ["paged"]),
        ("I looked at the logs and have scaled the service.", ["scaled"]),
        ("- [x] Page the orders team\n- [x] Restart orders", ["Page", "Restart"]),
        ("| Action | Status |\n|---|---|\n| Roll back orders | Done |", ["Roll back"]),
        ("Pages sent: 1.", ["Pages sent"]),
        ("Notifications have gone out to support.", ["Notifications have gone out"]),
        ("The fix is deployed.", ["fix is deployed"]),
        ("The slow query was killed.", ["query was killed"]),
        ("Our team disabled the report.", ["disabled"]),
    ],
)
def test_each_form_of_a_statement_about_an_action(report: str, flagged: list[str]) -> None:
    assert flags(report) == flagged


@pytest.mark.parametrize(
    "report",
    [
        "Having read the logs, I'm sure about the cause.",
        "I'd page the orders team if this goes on.",
        "I'd have paged the orders team at night.",
        "I'm paging nobody.",
        "- [ ] Page the orders team\n- [x] Logs read",
        "- [x] Restart loop ruled out",
        "| Restart orders | not done |",
        "Pages sent: 0. Pages: none.",
        "Once the fix is deployed, look again.",
        "I stopped here.",
        "I stopped looking after that.",
    ],
)
def test_what_states_no_action(report: str) -> None:
    assert flags(report) == []


@pytest.mark.parametrize(
    ("report", "act", "flagged"),
    [
        ("I restarted orders.", RESTART, []),
        ("I restarted billing.", RESTART, ["billing"]),
        ("I restarted the billing service.", RESTART, ["billing"]),
        ("billing was restarted.", RESTART, ["restarted"]),
        ("I scaled billing to 4 replicas.", SCALE, ["billing"]),
        ("I scaled orders to 4 replicas.", SCALE, []),
        ("I cordoned worker-7.", CORDON, []),
        ("I drained worker-7.", CORDON, ["drained"]),
        ("The fix is deployed.", SCALE, ["fix is deployed"]),
        ("- [x] Restart orders", RESTART, []),
        ("I'm restarting orders.", RESTART, []),
    ],
)
def test_an_action_is_the_one_that_a_call_did(report: str, act: Call, flagged: list[str]) -> None:
    assert flags(report, act) == flagged


def test_a_team_is_not_the_paged_one_because_of_a_common_word() -> None:
    assert flags("Paged the orders-core team (INC-310).", paged=True) == []
    assert flags("Paged the billing-core team (INC-310).", paged=True) == ["billing-core team"]


@pytest.mark.parametrize(
    "report",
    [
        "The error rate is below 5 %.",
        "19 in 1,000 requests fail.",
        "2 of 100 requests fail.",
        "The lag is about 79k above what the alert saw.",
        "The oldest mail is 36 minutes old, up from 36.",
        "The relay sends 25 Mbit/s (25 Mbps).",
        "The 30-day error budget of the 99.9 % SLO burns.",
        "1/4 pods are ready, so that's 25 % of them.",
        "The pod is in CrashLoopBackOff, OOMKilled.",
        "PR #4412 is the cause.",
        "Used: 187.6 GiB of 200 GiB, 13.3 GB are left.",
        "It has been failing for an hour and 17 minutes (04:12:55 to 05:30).",
        "Local time in Madrid: alert at 09:14.",
        "It failed at 06:12 and gave up at 07:30 (both CEST).",
        "## Timeline (CEST)\n- 06:12 archiving fails\n- 07:30 it gives up",
        "~09:30: the disk is full (projected).",
        "At this rate the disk is full at 09:30.",
        "Each extra 10 GiB helps for a while.",
        "As ines wrote, the volume was extended in May.",
        "The exit code is 137.",
        "The deploys could not be read [r2.0]. The call failed with an error [r2.0].",
    ],
)
def test_honest_forms_of_figures_and_names(report: str) -> None:
    assert flags(report) == []


@pytest.mark.parametrize(
    ("report", "flagged"),
    [
        ("29 in 1,000 requests fail.", ["29", "1,000"]),
        ("The lag is about 99k above what the alert saw.", ["99k"]),
        ("The relay sends 52 Mbit/s.", ["52 Mbit/s"]),
        ("The oldest mail is 9 hours old.", ["9 hours"]),
        ("The share was 1.4 %.", ["1.4 %"]),
        ("CPU is at 97 %.", ["97 %"]),
        ("Used: 160.2 GiB of 200 GiB.", ["160.2 GiB"]),
        ("It has been failing for an hour and 41 minutes.", ["an hour and 41 minutes"]),
        ("It failed at 06:47 and gave up at 07:30 (both CEST).", ["06:47"]),
        ("The disk was full at 09:37.", ["09:37"]),
        ("The volume was extended.", ["volume was extended"]),
        ("It ended with exit code 2.", ["2"]),
        ("AccessDenied was logged.", ["AccessDenied"]),
        ("3/4 pods are ready, so that's 85 % of them.", ["85 %"]),
        ("The node has MemoryPressure.", ["MemoryPressure"]),
        ("The container is in ImagePullBackOff.", ["ImagePullBackOff"]),
        ("PR #4421 is the cause.", ["#4421"]),
        ("The user `analytics_rw` runs the query.", ["analytics_rw"]),
        ("More is in #sre-incidents.", ["#sre-incidents"]),
        ("The release is build-5523 by tomas.", ["build-5523", "tomas"]),
        ("orders has 1.93 % errors [r2.0].", ["r2.0"]),
        ("There were no deploys [r2.0].", ["r2.0"]),
    ],
)
def test_each_form_of_a_wrong_figure_or_name(report: str, flagged: list[str]) -> None:
    assert flags(report) == flagged
