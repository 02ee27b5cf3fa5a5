"""The budget of a run: exact counts, extensions by people, and the sentence of each limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.contracts import BudgetUsed, LimitChanges, Limits, Usage
from watchkeeper.incident.budget import FAILURES_REMEMBERED, LIMIT_ERROR_TYPES, Budget, LimitName

LIMITS = Limits(rounds=5, tool_calls=3, tokens=1_000, duration=60, cost=0.01, failures=2)
START = 1_000.0


def budget(limits: Limits = LIMITS, **spent: Any) -> Budget:
    return Budget(limits, BudgetUsed.model_validate(spent), START)


def test_a_new_budget_is_unused() -> None:
    fresh = budget()
    assert (fresh.exhausted(), fresh.last_words(START), fresh.calls_left) == (None, None, 3)
    assert fresh.deadline == START + 60


def test_rounds_and_calls_are_counted_and_usage_is_summed() -> None:
    spending = budget()
    spending.charge_round(Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=80))
    spending.charge_round(
        Usage(prompt_tokens=150, completion_tokens=30, reasoning_tokens=7, cost=0.002, estimated=True)
    )
    spending.charge_calls(2)
    assert spending.spent == BudgetUsed(
        rounds=2,
        tool_calls=2,
        usage=Usage(
            prompt_tokens=250,
            completion_tokens=50,
            cached_tokens=80,
            reasoning_tokens=7,
            cost=0.002,
            estimated=True,
        ),
    )
    assert (spending.spent.usage.tokens, spending.calls_left) == (300, 1)


@pytest.mark.parametrize(
    ("spent", "limit", "sentence"),
    [
        ({"rounds": 5}, "rounds", "5 rounds"),
        ({"rounds": 9}, "rounds", "5 rounds"),
        ({"usage": {"prompt_tokens": 900, "completion_tokens": 100}}, "tokens", "1,000 tokens (limit 1,000)"),
        ({"usage": {"cost": 0.01234}}, "cost", "$0.0123 (limit $0.0100)"),
    ],
)
def test_each_limit_allows_no_further_round(spent: dict[str, Any], limit: LimitName, sentence: str) -> None:
    over = budget(**spent)
    assert over.exhausted() == limit
    assert over.sentence(limit) == f"stopped after {sentence} without a conclusion"


@pytest.mark.parametrize(
    "spent",
    [
        {"rounds": 4},
        {"tool_calls": 3},
        {"usage": {"prompt_tokens": 999}},
        {"usage": {"cost": 0.0099}},
        {"usage": {"cached_tokens": 5_000, "reasoning_tokens": 5_000}},
    ],
)
def test_a_budget_with_room_allows_a_round(spent: dict[str, Any]) -> None:
    assert budget(**spent).exhausted() is None


@pytest.mark.parametrize(
    ("spent", "limit"),
    [({"rounds": 3}, None), ({"rounds": 4}, "rounds"), ({"tool_calls": 2}, None), ({"tool_calls": 3}, "tool_calls")],
)
def test_the_last_round_is_known_before_it_starts(spent: dict[str, Any], limit: LimitName | None) -> None:
    assert budget(**spent).last_words(START) == limit


def test_after_the_deadline_one_round_is_left_for_the_report() -> None:
    late = budget()
    assert late.last_words(START + 59.9) is None
    assert late.last_words(START + 60) == "duration"
    assert late.exhausted() is None
    assert late.sentence("duration") == "stopped after 60 seconds without a conclusion"


def test_calls_over_the_limit_leave_no_calls() -> None:
    assert budget(tool_calls=7).calls_left == 0


def test_the_only_round_of_a_run_is_its_last() -> None:
    assert budget(LIMITS.model_copy(update={"rounds": 1})).last_words(START) == "rounds"


def test_an_unset_limit_never_ends_a_run() -> None:
    free = budget(LIMITS.model_copy(update={"cost": None}), usage={"cost": 1_000_000.0})
    assert free.exhausted() is None


def test_a_cost_limit_has_no_effect_without_prices() -> None:
    assert budget(usage={"prompt_tokens": 10}).exhausted() is None


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (LimitChanges(rounds=10), {"rounds": 15}),
        (LimitChanges(tokens=500, duration=30), {"tokens": 1_500, "duration": 90}),
        (LimitChanges(cost=0.5, tool_calls=1), {"cost": 0.51, "tool_calls": 4}),
        (LimitChanges(), {}),
    ],
)
def test_people_raise_single_limits(by: LimitChanges, expected: dict[str, Any]) -> None:
    extended = budget(rounds=5)
    assert extended.extend(by) == extended.limits == LIMITS.model_copy(update=expected)
    assert extended.exhausted() == (None if "rounds" in expected else "rounds")


def test_an_unset_limit_cannot_be_raised() -> None:
    free = budget(LIMITS.model_copy(update={"cost": None}))
    assert free.extend(LimitChanges(cost=1.0, rounds=1)) == LIMITS.model_copy(update={"cost": None, "rounds": 6})


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=12))
def test_a_run_ends_at_its_first_limit_and_never_before(rounds: list[tuple[int, int]]) -> None:
    spending = budget(LIMITS.model_copy(update={"cost": None}))
    for number, (prompt, completion) in enumerate(rounds, 1):
        if spending.exhausted() is not None:
            break
        spending.charge_round(Usage(prompt_tokens=prompt, completion_tokens=completion))
        assert spending.spent.rounds == number
    total = sum(map(sum, rounds[: spending.spent.rounds]))
    assert spending.spent.usage.tokens == total
    assert (spending.exhausted() is None) == (spending.spent.rounds < 5 and total < 1_000)


def test_a_call_that_keeps_failing_leaves_one_round() -> None:
    spending = budget()
    for look, search in [(False, False), (True, True), (True, False), (False, True)]:
        spending.charge_failures({"look": look, "search": search})
        assert spending.last_words(START) is None
    spending.charge_failures({"look": False})
    assert (spending.last_words(START), spending.exhausted()) == ("failures", None)
    spending.extend(LimitChanges(failures=1))
    assert spending.last_words(START) is None
    assert budget(LIMITS.model_copy(update={"failures": None}), failing={"x" * 22: 9}).last_words(START) is None


def test_the_number_of_remembered_failures_is_limited() -> None:
    spending = budget()
    for number in range(3 * FAILURES_REMEMBERED):
        spending.charge_failures({f"call {number}": False, "again": False})
    assert len(spending.spent.failing) == FAILURES_REMEMBERED
    assert spending.spent.failing["again"] == 3 * FAILURES_REMEMBERED


def test_every_limit_has_an_error_type_and_a_sentence() -> None:
    assert len(set(LIMIT_ERROR_TYPES.values())) == len(LIMIT_ERROR_TYPES) == len(Limits.model_fields)
    assert {budget().sentence(limit) for limit in LIMIT_ERROR_TYPES} == {
        "stopped after 5 rounds without a conclusion",
        "stopped after 3 tool calls without a conclusion",
        "stopped after 0 tokens (limit 1,000) without a conclusion",
        "stopped after $0.0000 (limit $0.0100) without a conclusion",
        "stopped after 60 seconds without a conclusion",
        "stopped after the same call failed 2 times in a row without a conclusion",
    }
