"""The panel below a run that is followed, at every width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.cli.watch.panel import panel
from watchkeeper.contracts import Alert, AlertNotification, Limits, ModelReply, Report, RunInput, Usage, digest_of
from watchkeeper.run_view.entries import Approval, Call, QueueWait, Round
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import ActivityAttempt, PendingWork

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
LIMITS = Limits(rounds=20, tool_calls=40, tokens=200_000, duration=1_800, cost=0.5)
HOSTILE = "\x1b]0;owned\x07 \x1b[2J\u202e\r\n\u30c1\u30a7\u30c3\u30af" * 20


def story(**facts: object) -> RunView:
    """Return a run that began 72 seconds ago and is in its third round."""
    used = Usage(prompt_tokens=41_000, completion_tokens=200, cost=0.0312)
    view = RunView(workflow_id="incident-checkout-1", run_input=RunInput(text="Why?"), limits=LIMITS)
    view.started_at = AT - timedelta(seconds=72)
    view.rounds = [
        Round(number, AT, AT, reply=ModelReply(kind="tool_calls", message={}, digest=digest_of(b""), usage=usage))
        for number, usage in ((1, Usage()), (2, Usage()), (3, used))
    ]
    vars(view).update(facts)
    return view


def running(key: str, name: str = "search_logs", **facts: object) -> Call:
    call = Call(key, int(key[1]), name, '{"query":"NullPointer"}', started_at=AT - timedelta(seconds=4))
    vars(call).update(facts)
    return call


def drawn(view: RunView, pending: PendingWork | None = None, width: int = 100, height: int = 40) -> list[str]:
    return panel(view, pending or PendingWork(), AT, 100.0, width=width, height=height).plain.splitlines()


def test_usage_is_compared_with_the_limits() -> None:
    view = story(calls={"r1.0": running("r1.0", status="ok"), "r3.0": running("r3.0")})
    _, spent, *_ = drawn(view, width=118)
    assert (
        spent
        == "3 of 20 rounds · 2 of 40 calls · 41,200 of 200,000 tokens · 1 min 12 s of 30 min 00 s · $0.0312 of $0.50"
    )


def test_a_running_call_shows_its_duration_and_attempt() -> None:
    view = story(calls={"r3.0": running("r3.0"), "r3.1": running("r3.1", "get_metrics")})
    lost = ActivityAttempt("r3.1 get_metrics", 2, None, None, "1@host", "activity Heartbeat timeout", True, AT)
    _, _, *lines = drawn(view, PendingWork({"r3.1": lost}), width=118)
    assert [line.split() for line in lines] == [
        ["•", "r3.0", "search_logs", "query=NullPointer", "4", "s"],
        ["•", "r3.1", "get_metrics", "query=NullPointer", "attempt", "2", "4", "s"],
        ["its", "worker", "stopped", "responding"],
    ]


def test_a_failed_attempt_shows_its_reason_and_the_next_attempt() -> None:
    view = story(calls={"r3.0": running("r3.0")})
    due = AT + timedelta(seconds=8)
    failed = ActivityAttempt("r3.0 search_logs", 3, None, due, "1@host", "loki answered 503", False, AT)
    assert drawn(view, PendingWork({"r3.0": failed}))[-1] == "    again in 8 s: loki answered 503"


def test_the_panel_says_that_the_run_waits_for_the_model() -> None:
    view = story()
    view.rounds.append(Round(4, AT - timedelta(seconds=9)))
    assert drawn(view)[-1].split() == ["•", "r4", "waits", "for", "the", "model", "9", "s"]
    vars(view).update(outcome="concluded", stays_open=True)
    assert drawn(view)[-1] == "  • open for follow-ups"
    view.deliveries["deliver-webhook"] = "webhook"
    assert drawn(view)[-1] == "  • open for follow-ups, delivering the report to webhook"
    view.follow_up_pending = True
    assert drawn(view)[-1].split()[1:6] == ["r4", "waits", "for", "the", "model"], "of a follow-up, too"


def test_the_panel_says_that_the_model_writes() -> None:
    view = story()
    view.rounds.append(Round(4, AT - timedelta(seconds=9)))
    writing = ActivityAttempt("r4 ask", 1, AT, None, "1@host", "", False, AT, written=1_204)
    line = drawn(view, PendingWork({"r4": writing}))[-1]
    assert line.split() == ["•", "r4", "the", "model", "writes", "(1,204", "characters)", "9", "s"]


def test_an_approval_request_shows_its_command() -> None:
    approval = Approval("waiting", expires_at=AT + timedelta(minutes=14))
    view = story(calls={"r3.0": running("r3.0", "restart", status="waiting", approval=approval)})
    *_, call, answer = drawn(view)
    assert call.endswith("14 min 00 s left")
    assert answer == "    waits for a person: watchkeeper approve incident-checkout-1 r3.0"
    assert drawn(view, width=50)[-1] == "    waits for a person: see the command above"


@pytest.mark.parametrize("width", [60, 100, 118])
def test_a_long_call_is_cut_before_its_facts(width: int) -> None:
    until = Approval("waiting", AT + timedelta(minutes=14, seconds=56))
    view = story(calls={"r3.0": running("r3.0", "page_engineer", status="waiting", approval=until)})
    view.calls["r3.0"].arguments = f'{{"summary":"{"x" * 200}"}}'
    call = next(line for line in drawn(view, width=width) if "page_engineer" in line)
    assert call.endswith("…  14 min 56 s left")
    assert len(call) == width


def test_waiting_in_a_queue_does_not_use_time() -> None:
    view = story(rounds=[], queue_wait=QueueWait("checkout", AT - timedelta(seconds=50)))
    *_, line = drawn(view)
    assert line.startswith("  • waiting for a slot in the queue of checkout")
    assert line.endswith(" 50 s")
    view = story(queue_wait=QueueWait("checkout", AT - timedelta(seconds=50), AT - timedelta(seconds=10)))
    assert " 10 s of 30 min" in "".join(drawn(view))


def test_an_open_run_shows_its_firing_alerts() -> None:
    view = story(outcome="concluded", stays_open=True, report=Report(summary="x", body="x"))
    alert = Alert(source="prod", group="g", fingerprint="f", status="firing", title="Slow", starts_at=1.0)
    view.episode.apply(AlertNotification(alerts=[alert], at=1.0))
    assert drawn(view)[-1] == "  • open for follow-ups (1 firing)"


@pytest.mark.parametrize(
    ("pending", "line"),
    [
        (PendingWork(unreached_since=88.0), "! Temporal is out of reach for 12 s; the run is safe"),
        (PendingWork(polled=False), "! no worker is there; the run waits for one: watchkeeper worker"),
        (PendingWork(untaken_since=93.0), "! no worker has taken it up for 7 s; it waits for one: watchkeeper worker"),
    ],
)
def test_the_panel_says_what_is_missing(pending: PendingWork, line: str) -> None:
    assert drawn(story(calls={"r3.0": running("r3.0")}), pending)[-1].strip() == line


def test_a_short_wait_for_a_worker_is_not_mentioned() -> None:
    assert "no worker" not in "".join(drawn(story(), PendingWork(untaken_since=98.0)))


def test_a_low_terminal_shows_some_of_many_calls() -> None:
    view = story(calls={f"r3.{place}": running(f"r3.{place}") for place in range(30)})
    lines = drawn(view, height=20)
    assert len(lines) <= 20
    assert lines[-1] == "  and 23 more calls"


@pytest.mark.parametrize("width", [40, 41, 53, 79, 117])
@pytest.mark.parametrize("height", [10, 50])
def test_no_line_is_wider_than_the_terminal(width: int, height: int) -> None:
    approval = Approval("waiting", expires_at=AT + timedelta(minutes=14))
    tool_calls = {
        "r3.0": running("r3.0", HOSTILE, arguments=HOSTILE),
        "r3.1": running("r3.1", "\u30c1" * 40, status="waiting", approval=approval),
        "r3.2": running("r3.2", same_as="r3.0", started_at=None),
    }
    failed = ActivityAttempt("r3.0 x", 12, None, AT + timedelta(hours=3), "1@host", HOSTILE, False, AT)
    view = story(calls=tool_calls, workflow_id="incident-" + "x" * 200)
    text = panel(view, PendingWork({"r3.0": failed}, polled=False), AT, 100.0, width=width, height=height)
    assert all(line.cell_len <= width for line in text.split("\n"))
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(text.plain)
