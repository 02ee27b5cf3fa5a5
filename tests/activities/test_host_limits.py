"""Hosts with a small context window, or another field for the limit of a completion: each answers all the same."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from tests.support.asking import OPENING, Asking, asking, call, round_of, user
from tests.support.settings import KEY
from tests.unit.llm.test_token_limits import COMPLETION_REFUSALS, WINDOW_REFUSALS
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.host_rules import (
    HostRule,
    completions_of_at_most,
    no_max_completion_tokens,
    no_max_tokens,
    prompt_tokens,
    window,
)
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says

LONG = [*OPENING, user("x" * 10_000)]
"""About 2,500 tokens."""
NUMBERS = {"2500": "{prompt}", "2,500": "{prompt}", "16384": "{window}", "16,384": "{window}"}
TOTALS = {"18500": "{total}", "18,500": "{total}", "16000": "{limit}"}


def template(text: str, numbers: dict[str, str]) -> str:
    for number, name in numbers.items():
        text = text.replace(number, name)
    return text


def host(*rules: HostRule) -> ScriptedModel:
    return ScriptedModel(lambda request: says("Checkout is down."), key=KEY, rules=rules)


def limits(model: ScriptedModel) -> list[int | None]:
    """Return the limit of each request, in either field."""
    sent: list[JsonObject] = [request.json() for request in model.requests]
    return [request.get("max_completion_tokens") or request.get("max_tokens") for request in sent]


def fields(model: ScriptedModel) -> list[str]:
    names = ("max_completion_tokens", "max_tokens")
    return [next((name for name in names if name in request.json()), "none") for request in model.requests]


async def ask_twice(asked: Asking) -> None:
    for messages in (LONG, [*LONG, *round_of(call("functions.look:0"))]):
        assert (await asked.ask(messages)).text == "Checkout is down."


@pytest.mark.parametrize("says_so", WINDOW_REFUSALS.values(), ids=WINDOW_REFUSALS)
async def test_the_limit_is_fitted_to_the_window_that_a_host_names(client: Client, says_so: str) -> None:
    model = host(window(16_384, template(says_so, NUMBERS | TOTALS)))
    async with asking(client, model) as asked:
        await ask_twice(asked)
    first, second, third = limits(model)
    assert (first, second) == (16_000, 16_384 - prompt_tokens(model.requests[1].json()))
    assert third is not None
    assert 12_000 < third <= 16_384 - prompt_tokens(model.requests[2].json())


@pytest.mark.parametrize("says_so", COMPLETION_REFUSALS.values(), ids=COMPLETION_REFUSALS)
async def test_a_host_with_a_largest_completion_is_asked_once_too_much(client: Client, says_so: str) -> None:
    model = host(completions_of_at_most(4_096, template(says_so, {"16000": "{limit}", "4096": "{largest}"})))
    async with asking(client, model) as asked:
        await ask_twice(asked)
    assert limits(model) == [16_000, 4_096, 4_096]


async def test_a_host_that_names_no_number_gets_a_quarter_at_a_time(client: Client) -> None:
    model = host(completions_of_at_most(3_000, "max_tokens is too large"))
    async with asking(client, model) as asked:
        await ask_twice(asked)
    # What such a host accepts may depend on the prompt, so each round begins with the limit of the settings.
    assert limits(model) == [16_000, 4_000, 1_024] * 2


async def test_the_window_of_the_settings_is_not_exceeded(client: Client) -> None:
    model = host(window(16_384, "maximum context length is {window} tokens"))
    async with asking(client, model, context_tokens=16_384) as asked:
        await ask_twice(asked)
    assert len(model.requests) == 2


async def test_a_prompt_without_room_for_a_completion_asks_to_be_shortened(client: Client) -> None:
    model = host(window(2_000, WINDOW_REFUSALS["vLLM"].replace("16384", "{window}").replace("2500", "{prompt}")))
    async with asking(client, model) as asked:
        with pytest.raises(ApplicationError, match="maximum context length is 2000 tokens") as failed:
            await asked.ask(LONG)
    assert (failed.value.type, failed.value.non_retryable, failed.value.details) == ("ContextOverflow", True, ())


async def test_the_older_field_is_sent_where_the_newer_is_refused(client: Client) -> None:
    model = host(no_max_completion_tokens)
    async with asking(client, model) as asked:
        await ask_twice(asked)
    assert fields(model) == ["max_completion_tokens", "max_tokens", "max_tokens"]
    assert limits(model) == [16_000] * 3


async def test_no_limit_is_sent_where_both_fields_are_refused(client: Client) -> None:
    model = host(no_max_completion_tokens, no_max_tokens)
    async with asking(client, model) as asked:
        await ask_twice(asked)
    assert fields(model) == ["max_completion_tokens", "max_tokens", "none", "none"]


async def test_no_limit_is_sent_if_the_settings_say_so(client: Client) -> None:
    model = host()
    async with asking(client, model, max_completion_tokens="none") as asked:
        await ask_twice(asked)
    assert fields(model) == ["none", "none"]
