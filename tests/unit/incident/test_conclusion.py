"""What counts as a conclusion, and who is woken for it."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from watchkeeper.contracts import CallRecord, CallStatus, Claim, ClaimKind, PageRecord, Review, Verdict
from watchkeeper.incident.conclusion import (
    ConclusionFacts,
    find_contradictions,
    find_problems,
    is_shown_healthy,
    verdict_of,
)
from watchkeeper.incident.correction import correction_text, without_corrections
from watchkeeper.incident.wake_rule import unsent_page, wake_reason

READ = {"r1.0": '{"call":"r1.0","service":"checkout","status":"degraded","error_rate":0.182}'}
DIAGNOSED = "Verdict: diagnosed\n\nDeploy v2.4.1 broke checkout: 18.2 % of requests fail."


def problems(answer: str, *, by_alert: bool = True, results: dict[str, str] | None = None) -> list[str]:
    read = READ if results is None else results
    return find_problems(answer, ConclusionFacts(by_alert, False, bool(read), read))


def test_a_diagnosis_with_a_read_is_a_conclusion() -> None:
    assert problems(DIAGNOSED) == []
    assert verdict_of(DIAGNOSED) == "diagnosed"


def test_nothing_is_concluded_without_a_read() -> None:
    assert problems(DIAGNOSED, results={}) == ["No read has succeeded, so nothing supports it."]


def test_a_conclusion_names_one_verdict() -> None:
    assert problems("Everything is as it was at 13:42.") == [
        "It names no verdict: diagnosed, recovered, healthy or unknown."
    ]
    assert problems("Verdict: healthy\nVerdict: diagnosed\n18.2 %") == [
        "It names more than one verdict: healthy, diagnosed."
    ]
    assert verdict_of("Verdict: healthy\nVerdict: diagnosed") is None


@pytest.mark.parametrize("verdict", ["healthy", "recovered"])
def test_a_good_verdict_names_what_was_read(verdict: str) -> None:
    assert problems(f"Verdict: {verdict}\n\nEverything is fine.") == [
        f"Its verdict is {verdict}, but it names nothing that was read: give a figure of a result, "
        "or cite its call, such as [r1.0]."
    ]
    assert problems(f"Verdict: {verdict}\n\nThe error rate is 18.2 %.") == []
    assert problems(f"Verdict: {verdict}\n\nEverything is fine [r1.0].") == []
    assert problems(f"Verdict: {verdict}\n\nEverything is fine [r7.0].") != []


def test_results_that_a_summary_has_replaced_count_as_read() -> None:
    facts = ConclusionFacts(by_alert=True, has_read=True)
    assert find_problems("Verdict: healthy\n\nThe error rate is 0.1 %.", facts) == []


KINDS = get_args(ClaimKind)


@pytest.mark.parametrize("by_alert", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verdict", ["diagnosed", "recovered", "healthy", "unknown"])
def test_false_actions_and_health_that_is_not_there_conclude_no_alert(
    by_alert: bool, kind: ClaimKind, verdict: Verdict
) -> None:
    found = find_contradictions(
        f"Verdict: {verdict}", ConclusionFacts(by_alert), [Claim(text="x", kind=kind, why="not read")]
    )
    is_false = kind == "action" or (kind == "health" and verdict in ("recovered", "healthy"))
    assert bool(found) == (by_alert and is_false)


@pytest.mark.parametrize("by_alert", [True, False])
def test_requests_and_announcements_are_no_conclusion(by_alert: bool) -> None:
    assert "It asks the reader for something instead of reporting." in problems(
        "Which service do you mean?", by_alert=by_alert
    )
    assert "It announces work that was not done." in problems("I will now check the logs.", by_alert=by_alert)
    assert "It announces work that was not done." in problems(
        "The error rate of checkout is 18.2 % at the moment. Let me check the logs.", by_alert=by_alert
    )


def test_a_persons_question_needs_neither_a_read_nor_a_verdict() -> None:
    assert problems("Done.", by_alert=False, results={}) == []


def test_a_correction_names_every_fault_and_is_found_again() -> None:
    review = Review(
        problems=["It names no verdict."], unsupported=[Claim(text="73.4 %", kind="figure", why="not read")]
    )
    text = correction_text("Correct it.", review)
    assert "Correct it." in text
    assert "- It names no verdict." in text
    assert "'73.4 %' (not read)" in text
    assert without_corrections(f"before {text} after") == "before  after"


def page(status: CallStatus, finding: str = "", number: int = 0) -> CallRecord:
    sent = PageRecord(team="checkout") if status == "ok" else None
    return CallRecord(
        key=f"r2.{number}", name="page_engineer", arguments="{}", status=status, finding=finding, page=sent
    )


NOT_SENT: list[CallStatus] = ["error", "rejected", "denied", "expired", "unknown"]


@pytest.mark.parametrize("status", NOT_SENT)
def test_a_wanted_page_that_was_not_sent_is_named(status: CallStatus) -> None:
    why = unsent_page([page(status)], {"page_engineer"}, "Look first.")
    assert why is not None
    assert "r2.0 page_engineer" in why
    assert status in why


@pytest.mark.parametrize("statuses", [*itertools.permutations(["ok", "denied"])])
def test_one_page_that_was_sent_is_enough(statuses: tuple[CallStatus, ...]) -> None:
    calls = [page(status, number=number) for number, status in enumerate(statuses)]
    assert unsent_page(calls, {"page_engineer"}) is None


def test_a_page_before_any_read_is_no_wanted_page() -> None:
    look_first = "Nobody was paged: look before you wake a person."
    refused = page("rejected", f"{look_first} Call it again then.")
    assert unsent_page([refused], {"page_engineer"}, look_first) is None
    assert unsent_page([refused, page("denied", "not run: denied by dana")], {"page_engineer"}, look_first) is not None
    assert unsent_page([CallRecord(key="r1.0", name="look", arguments="{}", status="error")], {"page_engineer"}) is None


VERDICTS: list[Verdict | None] = ["diagnosed", "recovered", "healthy", "unknown", None]
CLAIM = Claim(text="73.4 %", kind="figure", why="not read")


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info", None])
@pytest.mark.parametrize("firing", [0, 1, 7])
@pytest.mark.parametrize("is_paged", [True, False])
@pytest.mark.parametrize("shown_healthy", [True, False])
@pytest.mark.parametrize("unsupported", [[], [CLAIM]])
def test_an_urgent_alert_that_still_fires_wakes_a_person_unless_the_records_show_health(
    verdict: Verdict | None,
    severity: str | None,
    firing: int,
    is_paged: bool,
    shown_healthy: bool,
    unsupported: list[Claim],
) -> None:
    review = Review(verdict=verdict, shown_healthy=shown_healthy, unsupported=unsupported)
    why = wake_reason(review, severity=severity, firing=firing, is_paged=is_paged)
    is_urgent = severity in ("critical", "error") and firing > 0
    is_well = verdict in ("healthy", "recovered") and shown_healthy and not unsupported
    assert (why is not None) == (is_urgent and not is_paged and not is_well)


HEALTH = [
    ([], False),
    ([{"error_rate": 0.1}], False),
    ([{"status": "healthy"}], True),
    ([{"status": "degraded"}], False),
    ([{"healthy": True}], True),
    ([{"healthy": False, "status": "healthy"}], False),
    ([{"status": "healthy"}, {"status": "degraded"}], False),
    ([{"status": "degraded"}, {"status": "OK"}], True),
    ([{"status": "healthy"}, {"total": 0}], True),
    ([{"status": "no traffic"}], False),
]


@pytest.mark.parametrize(("results", "healthy"), HEALTH)
def test_health_is_shown_by_the_latest_result_that_states_it(results: list[dict[str, object]], healthy: bool) -> None:
    assert is_shown_healthy(results) is healthy
