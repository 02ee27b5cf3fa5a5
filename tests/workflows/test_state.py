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
    FollowUpState,
    HistoryBounds,
    Limits,
    PostedMessage,
    Report,
    RunInput,
    Usage,
)
from workflows.state import RunState

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
    "words": ["ada: look at payments"],
    "nudged": True,
    "corrected": True,
    "draft_answer": "The deploy broke it.",
    "window_fill": 4_096,
    "acts": ["update-1"],
    "alerts": [AlertState(fingerprint="a", status="firing", title="Checkout fails")],
    "unread": [Alert(source="s", group="g", fingerprint="a", status="firing", title="Checkout fails")],
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
    return state.to_carried(carried.conversation)


def test_the_examples_set_every_carried_field() -> None:
    defaults = {name: field.get_default(call_default_factory=True) for name, field in CarriedState.model_fields.items()}
    unset = {name for name, default in defaults.items() if INVESTIGATING.get(name, default) == default}
    assert unset == {"reported"}
    assert not [name for name, field in FollowUpState.model_fields.items() if getattr(FOLLOW_UP, name) == field.default]


def test_an_investigation_is_carried_completely() -> None:
    assert round_trip(INVESTIGATING) == CarriedState(**INVESTIGATING)


def test_an_open_run_is_carried_completely() -> None:
    assert round_trip(OPEN) == CarriedState(**OPEN)


def test_a_compacted_conversation_leaves_its_window_fill_unknown() -> None:
    compacted = CarriedConversation(messages=[], digest="d" * 22, compacted=7)
    assert round_trip({**INVESTIGATING, "conversation": compacted}).window_fill == 0


def test_a_carried_run_knows_its_report() -> None:
    state = RunState.from_input(RunInput(text="Checkout fails.", carried=CarriedState(**OPEN)))
    assert (state.status, state.report) == ("concluded", FOLLOW_UP.report)
