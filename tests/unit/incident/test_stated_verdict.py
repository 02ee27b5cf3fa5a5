"""The verdict of a report: as stated, or as its form implies."""

from __future__ import annotations

import pytest

from watchkeeper.incident.stated_verdict import VERDICTS, read_verdicts, without_verdict_line

GUIDE = (
    "**Status:** Checkout is degraded — error rate is **18.2%** and p95 latency is **4,200 ms**.\n\n"
    "**Root cause:** Deploy **v2.4.1** went live at 13:30. Logs show a NullPointerException.\n\n"
    "**Action taken:** Paged the checkout on-call engineer and opened **INC-4827**.\n\n"
    "**Recommended immediate next step:** Roll back checkout to **v2.4.0**."
)

LINES = [
    "Verdict: {}",
    "**Verdict:** {}",
    "**Verdict: {}**",
    "# Verdict: {}",
    "> verdict - {}",
    "VERDICT：{}",
    "- Verdict: `{}`.",
]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("line", LINES)
def test_a_stated_verdict_is_read_in_every_form(line: str, verdict: str) -> None:
    for spelled in (verdict, verdict.capitalize(), verdict.upper()):
        report = f"Summary first.\n\n{line.format(spelled)}\n\nThe cause is a deploy; it recovered and is healthy."
        assert read_verdicts(report) == [verdict]


IMPLIED = [
    (GUIDE, "diagnosed"),
    (
        "The payments service is currently **healthy** with an error rate of **0.2%**. No action is needed.",
        "healthy",
    ),
    ("Cause: deploy v2.4.1.", "diagnosed"),
    ("**Likely cause:** the pool is exhausted.", "diagnosed"),
    ("The errors are caused by the deploy of 13:30.", "diagnosed"),
    ("Errors began due to an expired certificate.", "diagnosed"),
    ("**Cause:** unknown. Error rate is 18.2 %.", "unknown"),
    ("The root cause is still unclear.", "unknown"),
    ("I could not determine why it failed.", "unknown"),
    ("No root cause was found.", "unknown"),
    ("Checkout has recovered: the error rate is 0.1 % since 14:05. It was caused by a restart.", "recovered"),
    ("The alert is resolved now.", "recovered"),
    ("Nothing is wrong: it is a false alarm, the error rate is 0.1 %.", "healthy"),
    ("No issues with payments: 0.2 % errors.", "healthy"),
]


@pytest.mark.parametrize(("report", "verdict"), IMPLIED)
def test_the_form_of_a_report_implies_its_verdict(report: str, verdict: str) -> None:
    assert read_verdicts(report) == [verdict]


NO_VERDICT = [
    "",
    "Everything is fine.",
    "Fine.",
    "Done.",
    "The service is unhealthy.",
    "It is not healthy, the error rate is 18 %.",
    "It has not recovered.",
    "Error rate is 18.2 %, p95 4,200 ms.",
    "Verdict: probably bad",
    "The verdict is out.",
]


@pytest.mark.parametrize("report", NO_VERDICT)
def test_a_report_without_a_verdict_has_none(report: str) -> None:
    assert read_verdicts(report) == []


def test_two_stated_verdicts_are_both_read() -> None:
    assert read_verdicts("Verdict: healthy\n\nVerdict: diagnosed\nVerdict: healthy") == ["healthy", "diagnosed"]


def test_only_a_bare_verdict_line_is_removed() -> None:
    report = "Verdict: diagnosed\n\nCheckout fails."
    assert without_verdict_line(report).strip() == "Checkout fails."
    report = "**Verdict:** diagnosed: the deploy of 13:30 broke checkout."
    assert without_verdict_line(report) == report
