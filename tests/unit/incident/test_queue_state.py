"""Slots are given in order and up to the limit, even if signals are late, repeated or lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.brief import BriefActivities
from tests.support.settings import build_settings
from watchkeeper.alerts.severity import temporal_priority
from watchkeeper.contracts import AlertOrigin, QueueEntry, QueueExit, QueueSettings, QueueState, RunInput
from watchkeeper.incident.queue_state import ENTRIES_SHOWN, EXITS_REMEMBERED, TurnQueue, describe_queue, queue_id
from watchkeeper.llm.conversation import ConversationStore


def entrant(run: str, priority: int = 3, at: float = 0, places: int = 1, sent: float | None = None) -> QueueEntry:
    return QueueEntry(
        queue="checkout",
        run=run,
        workflow_id=f"alert-{run}",
        priority=priority,
        at=at,
        sent=at if sent is None else sent,
        places=places,
    )


def leaving(run: str, at: float = 1_000) -> QueueExit:
    return QueueExit(queue="checkout", run=run, at=at)


def line(*entrants: QueueEntry) -> TurnQueue:
    made = TurnQueue(QueueState(name="checkout"))
    for one in entrants:
        made.enter(one)
    return made


def runs(entrants: list[QueueEntry]) -> list[str]:
    return [one.run for one in entrants]


def test_the_highest_priority_is_first_then_the_longest_wait() -> None:
    waiting = line(
        entrant("info", 5, at=1), entrant("late", 1, at=4), entrant("early", 1, at=2), entrant("error", 2, at=3)
    )
    admitted = []
    while not waiting.is_empty:
        (admitted_run,) = waiting.admit()
        admitted.append(admitted_run.run)
        waiting.leave(leaving(admitted_run.run))
    assert admitted == ["early", "late", "error", "info"]


def test_runs_with_a_slot_keep_it() -> None:
    taken = line(entrant("info", 5))
    taken.admit()
    taken.enter(entrant("critical", 1, at=1))
    assert taken.admit() == []
    assert taken.is_full
    assert (runs(taken.state.holding), runs(taken.state.waiting)) == (["info"], ["critical"])


def test_a_run_that_enters_twice_waits_once() -> None:
    waiting = line(entrant("a"), entrant("b", at=1), entrant("b", at=1, sent=2))
    waiting.admit()
    assert runs(waiting.state.waiting) == ["b"]


def test_a_run_with_a_slot_that_enters_again_is_admitted_again() -> None:
    taken = line(entrant("a"))
    assert runs(taken.admit()) == ["a"]
    assert not taken.is_due
    taken.enter(entrant("a", sent=60))
    assert taken.is_due
    assert runs(taken.admit()) == ["a"]
    assert runs(taken.state.holding) == ["a"]


def test_the_latest_entry_sets_the_number_of_slots() -> None:
    waiting = line(entrant("a", places=1), entrant("b", at=1, places=1), entrant("c", at=2, places=3))
    waiting.enter(entrant("b", at=1, sent=60, places=1))
    assert runs(waiting.admit()) == ["a", "b", "c"]


def test_fewer_slots_take_no_slot_away() -> None:
    taken = line(entrant("a", places=2), entrant("b", at=1, places=2))
    taken.admit()
    taken.enter(entrant("c", at=2, places=1))
    taken.leave(leaving("a"))
    assert taken.admit() == []
    taken.leave(leaving("b"))
    assert runs(taken.admit()) == ["c"]


def test_a_waiting_run_can_leave() -> None:
    waiting = line(entrant("a"), entrant("b", at=1))
    waiting.admit()
    waiting.leave(leaving("b"))
    waiting.leave(leaving("a"))
    assert waiting.is_empty


def test_an_entry_that_arrives_after_the_exit_is_ignored() -> None:
    overtaken = line()
    overtaken.leave(leaving("a", at=5))
    overtaken.enter(entrant("a", sent=4))
    assert overtaken.is_empty


def test_a_run_that_enters_after_its_exit_waits_again() -> None:
    back = line(entrant("a"))
    back.admit()
    back.leave(leaving("a", at=5))
    back.enter(entrant("a", sent=6))
    assert runs(back.admit()) == ["a"]
    back.leave(leaving("a", at=5))
    assert runs(back.state.holding) == ["a"], "an old word took its place away"


def test_a_run_that_has_ended_is_not_admitted() -> None:
    taken = line(entrant("a"))
    taken.admit()
    taken.enter(entrant("a", sent=1))
    taken.drop("a")
    assert not taken.is_due
    assert taken.admit() == []


def test_only_the_latest_exits_are_remembered() -> None:
    left = line()
    for number in range(EXITS_REMEMBERED + 10):
        left.leave(leaving(f"run-{number}", at=number))
    left.leave(leaving("run-50", at=999))
    remembered = [one.run for one in left.state.left]
    assert len(remembered) == EXITS_REMEMBERED
    assert remembered[-1] == "run-50"


RUNS = st.sampled_from("abcdefgh")
ACTS = st.one_of(
    st.tuples(st.just("enter"), RUNS, st.integers(1, 5)),
    st.tuples(st.just("again"), RUNS, st.just(0)),
    st.tuples(st.just("leave"), RUNS, st.just(0)),
    st.tuples(st.just("gone"), RUNS, st.just(0)),
    st.tuples(st.just("admit"), st.just(""), st.just(0)),
    st.tuples(st.just("renew"), st.just(""), st.just(0)),
)


@given(st.integers(1, 4), st.lists(ACTS, max_size=60))
def test_any_sequence_keeps_the_slot_limit_and_admits_every_run(places: int, acts: list[tuple[str, str, int]]) -> None:
    queue = line()
    entered: dict[str, QueueEntry] = {}
    holding: list[str] = []
    for now, (act, run, priority) in enumerate(acts):
        match act:
            case "enter" if run not in entered:
                entered[run] = entrant(run, priority, at=now, places=places)
                queue.enter(entered[run])
            case "again" if run in entered:
                queue.enter(entered[run].model_copy(update={"sent": now}))
            case "leave":
                queue.leave(leaving(run, at=now))
                entered.pop(run, None)
            case "gone":
                queue.drop(run)
                entered.pop(run, None)
            case "admit":
                _admit(queue, holding, entered)
            case "renew":
                _admit(queue, holding, entered)
                queue = TurnQueue(queue.state)
        holding = [run for run in holding if run in entered]
        assert runs(queue.state.holding) == holding
        assert len(holding) <= places
        assert sorted([*holding, *runs(queue.state.waiting)]) == sorted(entered)
    served = []
    _admit(queue, holding, entered)
    while holding:
        served.append(run := holding.pop(0))
        queue.leave(leaving(run))
        _admit(queue, holding, entered)
    assert sorted(served) == sorted(entered)
    assert queue.is_empty


def _admit(queue: TurnQueue, holding: list[str], entered: dict[str, QueueEntry]) -> None:
    """Admit runs; check that each admitted run precedes all waiting runs."""
    admitted = [one for one in queue.admit() if one.run not in holding]
    waiting = queue.state.waiting
    assert not waiting or len(queue.state.holding) == waiting[0].places, "a place stays free while somebody waits"
    ranks = [(entered[one.run].priority, entered[one.run].at) for one in [*admitted, *waiting]]
    assert ranks == sorted(ranks)
    holding += runs(admitted)


def test_the_description_names_all_runs_in_order() -> None:
    queue = line(entrant("a", places=1), entrant("b", 5, at=1), entrant("c", 1, at=2))
    queue.admit()
    assert describe_queue(queue.state).splitlines() == [
        "**1 of 1 slots taken, 2 waiting**",
        "",
        "- alert-c (priority 1) investigates",
        "1. alert-a (priority 3) waits",
        "2. alert-b (priority 5) waits",
    ]


def test_the_description_of_a_long_queue_is_limited() -> None:
    queue = line(*(entrant(f"run-{number}", at=number) for number in range(ENTRIES_SHOWN + 21)))
    queue.admit()
    words = describe_queue(queue.state)
    assert words.count("waits") == ENTRIES_SHOWN
    assert words.endswith("and 20 more")


@pytest.mark.parametrize(("name", "known_as"), [("checkout", "checkout"), ("team-7", "team-7"), ("x" * 40, "x" * 40)])
def test_a_plain_team_has_a_plain_queue(name: str, known_as: str) -> None:
    assert queue_id(name, "watchkeeper") == f"queue-{known_as}@watchkeeper"


def test_each_task_queue_has_its_own_queues() -> None:
    assert queue_id("checkout", "blue") != queue_id("checkout", "green")


def test_other_names_get_different_ids() -> None:
    names = [
        "Checkout",
        "check out",
        "check-out-",
        "(no team)",
        "no team",
        "支払い",
        "Zahlungen ☂",
        "x" * 41,
        "x" * 500,
    ]
    known_as = [queue_id(name, "watchkeeper") for name in [*names, "checkout", "check-out", "no-team"]]
    assert len(set(known_as)) == len(known_as)
    assert max(map(len, known_as)) <= 72
    assert known_as[3].startswith("queue-no-team~")


@pytest.mark.parametrize(
    ("severity", "priority"),
    [("critical", 1), ("error", 2), (None, 3), ("purple", 3), ("", 3), ("warning", 4), ("info", 5), ("SEV1", 1)],
)
def test_severity_is_priority(severity: str | None, priority: int) -> None:
    assert temporal_priority(severity) == priority


async def turns_of(run_input: RunInput, **episodes: Any) -> QueueSettings | None:
    settings = build_settings("http://127.0.0.1:1/v1", episodes=episodes)
    return (await BriefActivities(settings, [], ConversationStore(2**20)).brief(run_input)).turns


async def test_runs_of_alerts_take_turns_by_team_and_severity() -> None:
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g", team="checkout")
    settings = await turns_of(RunInput(text="why?", severity="warning", origin=origin), investigations=2, queue=90)
    assert settings == QueueSettings(queue="checkout", places=2, patience=90, priority=4)


async def test_alerts_without_a_team_share_a_queue() -> None:
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g")
    settings = await turns_of(RunInput(text="why?", origin=origin))
    assert settings is not None
    assert (settings.queue, settings.places, settings.priority) == ("(no team)", 5, 3)


async def test_a_question_of_a_person_does_not_wait() -> None:
    assert await turns_of(RunInput(text="why?", severity="info")) is None
