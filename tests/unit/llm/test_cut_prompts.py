"""A host that reads only a part of a prompt is noticed by its counts, and honest counts are no cut."""

from __future__ import annotations

import pytest

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import join_messages
from watchkeeper.llm.cut_prompts import is_cut, reasoning_size
from watchkeeper.llm.prompt_counts import KEPT, PromptCount, PromptCounts


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (PromptCount(68_000, 4_096), None),
        (PromptCount(24_000, 4_096), PromptCount(16_000, 4_000)),
        (PromptCount(24_000, 4_096), PromptCount(16_400, 4_096)),
        (PromptCount(24_000, 2_048), PromptCount(16_000, 4_000)),
        (PromptCount(24_000, 2_050), None),
        (PromptCount(9_000, 1_024), PromptCount(7_000, 1_700)),
    ],
)
def test_a_cut_is_noticed(now: PromptCount, before: PromptCount | None) -> None:
    assert is_cut(now, before, lambda: now.size)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (PromptCount(16_000, 4_000), None),
        (PromptCount(24_000, 6_000), PromptCount(16_000, 4_000)),
        (PromptCount(24_000, 4_000), PromptCount(16_000, 2_700)),
        (PromptCount(24_000, 4_700), PromptCount(16_000, 4_000)),
        (PromptCount(24_000, 4_096), PromptCount(23_900, 4_096)),
        (PromptCount(40_000, 100), None),
        (PromptCount(40_000, 100), PromptCount(16_000, 100)),
        (PromptCount(1_000_000, 250_000), PromptCount(10_000, 250_000)),
    ],
    ids=["first", "grows", "dense text", "very dense results", "too little growth", "no count", "always 100", "fewer"],
)
def test_honest_counts_are_no_cut(now: PromptCount, before: PromptCount | None) -> None:
    assert not is_cut(now, before, lambda: now.size)


def test_reasoning_that_a_host_leaves_out_is_no_cut() -> None:
    """Moonshot and others leave out the reasoning of earlier turns after a user message."""
    now, before = PromptCount(60_000, 4_200), PromptCount(50_000, 12_000)
    assert is_cut(now, before, lambda: now.size)
    assert not is_cut(now, before, lambda: now.size - 43_000)


def test_the_reasoning_of_every_host_is_counted() -> None:
    messages: list[JsonObject] = [
        {"role": "user", "content": "reasoning"},
        {"role": "assistant", "content": "a", "reasoning_content": "x" * 100},
        {"role": "assistant", "content": "a", "reasoning": "é" * 100},
        {"role": "assistant", "content": "a", "reasoning_details": [{"text": "y" * 100}]},
    ]
    assert 400 <= reasoning_size(join_messages(messages)) < 450
    assert reasoning_size(join_messages(messages[:1])) == 0


def test_the_next_prompt_is_estimated_from_the_one_before_it() -> None:
    counts = PromptCounts()
    counts.note("a", PromptCount(10_000, 5_000))
    assert counts.estimate("a", 12_000) == 5_500
    assert counts.estimate("b", 12_000) == 3_000
    for n in range(KEPT):
        counts.note(f"other {n}", PromptCount(1, 1))
    assert counts.of("a") is None
