"""The words of a report, whether the model found them or not."""

from __future__ import annotations

import pytest

from watchkeeper.contracts import CallRecord, CallStatus, Evidence, RunInput
from watchkeeper.incident.report import EVIDENCE, concluded_report, hand_off_report

GIVEN = RunInput(text="Checkout fails.\nSince 10:02.", service="checkout")


def record(key: str = "r1.0", status: CallStatus = "ok", finding: str = '{"error_rate":0.182}') -> CallRecord:
    return CallRecord(key=key, name="look", arguments='{"service":"checkout"}', status=status, finding=finding)


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("Checkout is fine.", "Checkout is fine."),
        ("\n\n# **Status:** degraded\n\nMore.", "Status: degraded"),
        ("---\n**\n## Findings\n- one", "Findings"),
        ("* 18.2 % errors_", "18.2 % errors"),
        ("```\n```", "concluded"),
        ("x" * 1_000, "x" * 300 + "… (+700 bytes)"),
    ],
)
def test_the_summary_is_the_first_line_with_text(text: str, summary: str) -> None:
    report = concluded_report(text, [])
    assert (report.summary, report.body) == (summary, text.strip())


@pytest.mark.parametrize("thought", ["<think>Is it? **Yes.**\n</think>\n", " \n<think></think>"])
def test_a_report_has_no_thought_block(thought: str) -> None:
    report = concluded_report(f"{thought}Checkout is fine.", [])
    assert (report.summary, report.body) == ("Checkout is fine.", "Checkout is fine.")
    assert concluded_report("Write <think> first.", []).body == "Write <think> first."


def test_the_evidence_is_the_successful_calls() -> None:
    statuses: list[CallStatus] = ["ok", "error", "rejected", "denied", "expired", "unknown", "waiting", "running", "ok"]
    calls = [record(f"r{number}.0", status) for number, status in enumerate(statuses)]
    assert concluded_report("Fine.", calls).evidence == [
        Evidence(call=key, tool="look", arguments='{"service":"checkout"}', finding='{"error_rate":0.182}')
        for key in ("r0.0", "r8.0")
    ]


def test_a_hand_off_says_what_was_asked_done_and_found() -> None:
    report = hand_off_report(GIVEN, [record(), record("r2.0", "error", "no such index")], "stopped after 2 rounds")
    assert report.summary == "checkout: no conclusion, stopped after 2 rounds"
    assert report.body == (
        "**No conclusion:** stopped after 2 rounds.\n\n"
        "**Asked:**\n\n> Checkout fails.\n> Since 10:02.\n\n"
        "**Done so far:**\n\n"
        '- `r1.0` look `{"service":"checkout"}`: {"error_rate":0.182}\n'
        '- `r2.0` look `{"service":"checkout"}` (error): no such index\n\n'
        "**Next step:** a person takes over from here; nothing else will act on this run."
    )
    assert [item.call for item in report.evidence] == ["r1.0"]


def test_a_hand_off_without_calls() -> None:
    report = hand_off_report(RunInput(text="Why?"), [], "the model's key was refused.")
    assert report.summary == "incident: no conclusion, the model's key was refused."
    assert report.body.startswith("**No conclusion:** the model's key was refused.\n")
    assert "**Done so far:** no tool was called." in report.body


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("unknown", "(may or may not have taken effect; check before doing it again)"),
        ("running", "(in flight when the run ended: may or may not have taken effect; check before doing it again)"),
        ("waiting", "(was waiting for approval)"),
        ("denied", "(denied)"),
    ],
)
def test_a_hand_off_says_how_each_call_ended(status: CallStatus, said: str) -> None:
    assert (
        f'`{{"service":"checkout"}}` {said}\n'
        in hand_off_report(GIVEN, [record(status=status, finding="")], "why").body
    )


def test_a_hand_off_is_bounded() -> None:
    calls = [record(f"r{number}.0", finding="x" * 300) for number in range(1, 1_001)]
    report = hand_off_report(RunInput(text="é" * 50_000), calls, "because " * 500)
    assert len(report.body) < 40_000
    assert len(report.summary) < 400
    assert (len(report.evidence), report.evidence[-1].call) == (EVIDENCE, "r1000.0")
    assert "earlier calls are left out" in report.body
    assert "`r1000.0`" in report.body
    assert "`r960.0`" not in report.body
