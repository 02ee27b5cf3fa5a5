from __future__ import annotations

import pytest
from pydantic import ValidationError

from watchkeeper.config.sections import Prices
from watchkeeper.contracts import Usage
from watchkeeper.llm.usage import completion_cost, read_usage

GOOD = {"prompt_tokens": 100, "completion_tokens": 20}


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (GOOD, Usage(prompt_tokens=100, completion_tokens=20)),
        ({"prompt_tokens": 100.0, "completion_tokens": 20}, Usage(prompt_tokens=100, completion_tokens=20)),
        (GOOD | {"cached_tokens": 60}, Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=60)),
        (
            GOOD | {"cached_tokens": 60, "prompt_tokens_details": {"cached_tokens": 0}},
            Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=60),
        ),
        (
            GOOD | {"cached_tokens": None, "prompt_tokens_details": {"cached_tokens": 7}},
            Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=7),
        ),
        (GOOD | {"prompt_cache_hit_tokens": 8}, Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=8)),
        (GOOD | {"cached_tokens": 500}, Usage(prompt_tokens=100, completion_tokens=20, cached_tokens=100)),
        (GOOD | {"prompt_tokens_details": "none"}, Usage(prompt_tokens=100, completion_tokens=20)),
        (
            GOOD | {"completion_tokens_details": {"reasoning_tokens": 5}},
            Usage(prompt_tokens=100, completion_tokens=20, reasoning_tokens=5),
        ),
        (
            GOOD | {"completion_tokens_details": {"reasoning_tokens": 50}},
            Usage(prompt_tokens=100, completion_tokens=20, reasoning_tokens=20),
        ),
        ({"prompt_tokens": 100}, Usage(prompt_tokens=100, completion_tokens=10, estimated=True)),
        ({"completion_tokens": 20}, Usage(prompt_tokens=101, completion_tokens=20, estimated=True)),
    ],
)
def test_each_format_of_usage(report: object, expected: Usage) -> None:
    assert read_usage([report], prompt_bytes=402, completion_bytes=40) == expected


@pytest.mark.parametrize("nonsense", [None, "100", True, -1, float("nan"), float("inf"), 10**30, [], {}, 0], ids=repr)
def test_an_invalid_count_is_estimated(nonsense: object) -> None:
    for report in (nonsense, {"prompt_tokens": nonsense, "completion_tokens": nonsense}):
        usage = read_usage([report], prompt_bytes=402, completion_bytes=40)
        assert usage == Usage(prompt_tokens=101, completion_tokens=10, estimated=True)


def test_the_first_usage_with_a_count_is_read() -> None:
    empty = {"prompt_tokens": 0, "completion_tokens": 0}
    assert read_usage([empty, GOOD], prompt_bytes=4, completion_bytes=4).prompt_tokens == 100
    assert read_usage([GOOD, {"prompt_tokens": 7}], prompt_bytes=4, completion_bytes=4).prompt_tokens == 100


def test_zero_completion_tokens_are_accepted_for_an_empty_reply() -> None:
    usage = read_usage([{"prompt_tokens": 9, "completion_tokens": 0}], prompt_bytes=36, completion_bytes=0)
    assert usage.model_fields_set == {"prompt_tokens"}


def test_cached_tokens_are_charged_once() -> None:
    usage = Usage(prompt_tokens=1_000_000, cached_tokens=800_000, completion_tokens=100_000)
    assert completion_cost(usage, Prices(input=0.95, cached_input=0.16, output=4.0)) == pytest.approx(
        0.19 + 0.128 + 0.4
    )
    assert completion_cost(usage, Prices(input=0.95, output=4.0)) == pytest.approx(0.95 + 0.4)


@pytest.mark.parametrize("wrong", [{"input": -1, "output": 1}, {"input": float("nan"), "output": 1}, {"input": 1}])
def test_prices_are_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Prices.model_validate(wrong)
