"""Continue-as-new loses nothing: every carried field is read by ``from_input`` and written by ``to_carried``."""

from __future__ import annotations

from typing import Any

from watchkeeper.contracts import (
    Alert,
    AlertState,
    Briefing,
    BudgetUsed,
    CallRecord,
    CarriedConversation,
    CarriedState,
    CompactState,
    FollowUpState,
    HistoryBounds,
    Limits,
    PageRecord,
    PostedMessage,
    Report,
    RunInput,
    Usage,
)
from workflows.state import RunState
from workflows.tool_calls import CARRIED_FINDING_BYTES, CARRIED_WHOLE

OPENING = [{"role": "system", "content": "You are on call."}, {"role": "user", "content": "Checkout fails."}]
LIMITS = Limits(rounds=30, tool_calls=60, tokens=400_000, duration=1_800)
BRIEFING = Briefing(
    opening=[],
    tools=[],
    catalogue="c" * 22,
    limits=LIMITS,
    model="scripted",
    model_deadline=60,
    history=HistoryBounds(event_bytes=1, carried_bytes=2, bytes=3, events=4),
    destinations=["log"],
    nudge="Go on.",
    conclude="Conclude.",
)
INVESTIGATING: dict[str, Any] = {
    "briefing": BRIEFING,
    "conversation": CarriedConversation(messages=[], digest="d" * 22),
    "limits": LIMITS,
    "spent": BudgetUsed(rounds=3, tool_calls=2, usage=Usage(prompt_tokens=5), failing={"f" * 22: 2}),
    "started_at": 1_000.0,
    "calls": [CallRecord(key="r1.0", name="look", arguments="{}", status="ok", finding="fine")],
    "told": ["ada: mind the queue"],
    "words": ["ada: look at payments"],
    "nudged": True,
    "corrected": True,
    "draft_answer": "The deploy broke it.",
    "window_fill": 4_096,
    "acts": ["update-1"],
    "alerts": [AlertState(fingerprint="a", status="firing", title="Checkout fails")],
    "compact": [CompactState("~abcdefghijklmno", "firing", "critical", 1_000.0, None, "f1", 1)],
    "unlisted": 3,
    "unread": [Alert(source="s", group="g", fingerprint="a", status="firing", title="Checkout fails")],
    "messages": ["abcdefghijk"],
    "notes": ["2 alerts were left out"],
    "silence": "https://alerts.example/silence",
    "links": {"runbook": "https://wiki.example/checkout"},
    "message": PostedMessage(channel="C1", ts="1.0"),
    "alert_looks": 2,
}
FOLLOW_UP = FollowUpState(
    report=Report(summary="It is the deploy.", body="Roll back."),
    at=1_100.0,
    question="ada: why?",
    follow_ups=2,
    looked=1,
    undelivered=["slack: channel_not_found"],
    by_alerts=True,
    joined=["a"],
    unaccepted=[1],
    waiting_since=1_200.0,
    noticed=["b"],
    noticed_at=1_300.0,
)
OPEN: dict[str, Any] = {**INVESTIGATING, "alert_looks": 0, "reported": FOLLOW_UP}


def round_trip(values: dict[str, Any]) -> CarriedState:
    carried = CarriedState(**values)
    state = RunState.from_input(RunInput(text="Checkout fails.", carried=carried.model_copy(deep=True)))
    return state.to_carried(carried.conversation, OPENING)


def test_the_examples_set_every_carried_field() -> None:
    defaults = {name: field.get_default(call_default_factory=True) for name, field in CarriedState.model_fields.items()}
    unset = {name for name, default in defaults.items() if INVESTIGATING.get(name, default) == default}
    assert unset == {"reported"}
    assert not [name for name, field in FollowUpState.model_fields.items() if getattr(FOLLOW_UP, name) == field.default]


def test_an_investigation_is_carried_completely() -> None:
    assert round_trip(INVESTIGATING) == CarriedState(**INVESTIGATING)


def test_an_open_run_is_carried_completely() -> None:
    assert round_trip(OPEN) == CarriedState(**OPEN)


def test_a_conversation_in_an_earlier_history_is_carried_with_its_opening() -> None:
    elsewhere = CarriedConversation(digest="d" * 22, kept=7, execution="r")
    carried = round_trip({**INVESTIGATING, "conversation": elsewhere})
    assert (carried.conversation, carried.briefing.opening) == (elsewhere, OPENING)


def test_results_of_older_calls_are_carried_shortened() -> None:
    page = PageRecord(team="payments", incident="Q1")
    calls = [
        CallRecord(key=f"r{number}.0", name="look", arguments="{}", status="ok", finding=f"{number} {'x' * 200}")
        for number in range(50)
    ]
    calls[0] = calls[0].model_copy(update={"page": page})
    once = round_trip({**INVESTIGATING, "calls": calls})
    twice = round_trip({**INVESTIGATING, "calls": once.calls})
    assert [call.key for call in once.calls] == [call.key for call in calls]
    whole = [call.key for call, carried in zip(calls, once.calls, strict=True) if call == carried]
    assert whole == ["r0.0", *(f"r{number}.0" for number in range(50 - CARRIED_WHOLE, 50))]
    assert once.calls[1].finding == f"1 {'x' * (CARRIED_FINDING_BYTES - 2)}…"
    assert twice == once


def test_a_compacted_conversation_leaves_its_window_fill_unknown() -> None:
    compacted = CarriedConversation(messages=[], digest="d" * 22, compacted=7)
    assert round_trip({**INVESTIGATING, "conversation": compacted}).window_fill == 0


def test_a_carried_run_knows_its_report() -> None:
    state = RunState.from_input(RunInput(text="Checkout fails.", carried=CarriedState(**OPEN)))
    assert (state.status, state.report) == ("concluded", FOLLOW_UP.report)
