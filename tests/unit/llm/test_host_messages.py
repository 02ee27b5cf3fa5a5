"""Messages in the dialects of hosts: every combination of rules, the same bytes in every round, nothing lost."""

from __future__ import annotations

import itertools
import json
from typing import get_args

import pytest

from tests.support.asking import OPENING, call, reply, round_of, user
from watchkeeper.config.host_presets import Feature
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import join_messages
from watchkeeper.llm.host_dialect import CallIdPrefix, Dialect, MessageField
from watchkeeper.llm.host_messages import READ_RESULTS, parse_messages, render_messages

FOREIGN: list[JsonObject] = [
    *OPENING,
    user("Two alerts joined."),
    *round_of(
        call("functions.look:0"), call("functions.look:1"), content="I look.", reasoning_content="Deploys first."
    ),
    *round_of(call("abcdefgh1", extra_content={"google": {"thought_signature": "c2ln"}}), reasoning="Hm."),
    user("Is it the database?"),
    user("Please conclude."),
    *round_of(call("call_0123456789abcdef0123456789abcdef0123456789abcdef")),
    reply(content="**Status:** half of the orders fail.", reasoning_details=[{"type": "text", "text": "…"}]),
    user("Thanks. And now?"),
]
"""A conversation with whatever a first model may have written."""

STRICTEST = Dialect(frozenset(get_args(Feature)), frozenset({"reasoning_details", "reasoning", "extra_content"}))


def rendered(dialect: Dialect, messages: list[JsonObject] = FOREIGN) -> list[JsonObject]:
    return parse_messages(render_messages(join_messages(messages), dialect))


def dialect(*features: Feature) -> Dialect:
    return Dialect(frozenset(features))


def test_a_host_that_refuses_nothing_gets_the_recorded_bytes() -> None:
    joined = join_messages(FOREIGN)
    assert render_messages(joined, Dialect()) is joined


@pytest.mark.parametrize("features", [(), *itertools.combinations(get_args(Feature), 2), get_args(Feature)])
def test_a_longer_conversation_begins_with_the_same_bytes(features: tuple[Feature, ...]) -> None:
    host = Dialect(frozenset(features), frozenset({"reasoning_details"}))
    requests = [n for n in range(2, len(FOREIGN) + 1) if FOREIGN[n - 1]["role"] != "assistant"]
    # A request is sent when all calls have results and all texts are in it.
    requests = [n for n in requests if n == len(FOREIGN) or FOREIGN[n]["role"] == "assistant"]
    assert len(requests) == 5
    sent = [render_messages(join_messages(FOREIGN[:n]), host) for n in requests]
    for earlier, later in itertools.pairwise(sent):
        assert later.startswith(earlier + b",")


@pytest.mark.parametrize("features", [*itertools.combinations(get_args(Feature), 1), get_args(Feature)])
def test_calls_arguments_and_results_stay_together(features: tuple[Feature, ...]) -> None:
    waiting: list[str] = []
    calls, answers = 0, 0
    for message in rendered(Dialect(frozenset(features))):
        if message["role"] == "tool":
            assert message["tool_call_id"] == waiting.pop(0)
            answers += 1
            continue
        assert waiting == []
        waiting = [call["id"] for call in message.get("tool_calls", ())]
        assert len(set(waiting)) == len(waiting)
        calls += len(waiting)
    assert (calls, answers, waiting) == (4, 4, [])


@pytest.mark.parametrize("feature", get_args(Feature))
def test_no_text_is_lost(feature: Feature) -> None:
    texts = [message["content"] for message in FOREIGN if message["content"]]
    sent = "\n".join(message.get("content") or "" for message in rendered(dialect(feature)))
    for text in texts:
        assert text in sent


def test_ids_that_every_host_accepts_stay() -> None:
    ids = [
        one["id"] for message in rendered(dialect("call ids of other hosts")) for one in message.get("tool_calls", ())
    ]
    assert ids[2] == "abcdefgh1"
    assert len(set(ids)) == len(ids)
    assert all(len(one) == 9 and one.isalnum() and one.isascii() for one in ids)


def test_equal_ids_of_two_rounds_become_different_ones() -> None:
    messages = [*OPENING, *round_of(call("functions.look:0")), *round_of(call("functions.look:0"))]
    sent = rendered(dialect("call ids of other hosts"), messages)
    assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"] != sent[5]["tool_call_id"]


def test_a_user_message_after_results_follows_an_assistant_message() -> None:
    roles = [
        (message["role"], message.get("content"))
        for message in rendered(dialect("a user message after a tool message"))
    ]
    at = roles.index(("assistant", READ_RESULTS))
    assert roles[at - 1][0] == "tool"
    assert roles[at + 1] == ("user", "Is it the database?\n\nPlease conclude.")
    assert roles[1] == ("user", "Checkout fails.\n\nTwo alerts joined.")
    assert roles.count(("assistant", READ_RESULTS)) == 1


def test_null_becomes_an_empty_text_or_is_left_out() -> None:
    empty = [message.get("content", "absent") for message in rendered(dialect("null content"))]
    absent = [message.get("content", "absent") for message in rendered(dialect("null content", "empty content"))]
    assert (empty.count(""), absent.count("absent")) == (2, 2)
    assert None not in empty + absent


def test_fields_are_left_out_of_messages_and_calls() -> None:
    host = Dialect().after(MessageField("reasoning_content")).after(MessageField("extra_content"))
    text = json.dumps(rendered(host))
    assert "reasoning_content" not in text
    assert "extra_content" not in text
    assert "reasoning_details" in text
    assert '"reasoning"' in text


def test_calls_without_reasoning_get_what_another_host_called_reasoning_or_a_space() -> None:
    found = [
        one["reasoning_content"] for one in rendered(dialect("calls without reasoning_content")) if "tool_calls" in one
    ]
    assert found == ["Deploys first.", "Hm.", " "]


def test_calls_without_a_signature_get_the_one_for_foreign_calls() -> None:
    sent = [one["tool_calls"] for one in rendered(dialect("calls without a thought_signature")) if "tool_calls" in one]
    signatures = [calls[0]["extra_content"]["google"]["thought_signature"] for calls in sent]
    assert signatures == ["skip_thought_signature_validator", "c2ln", "skip_thought_signature_validator"]
    assert "extra_content" not in sent[0][1]


def test_several_calls_become_messages_with_one_each() -> None:
    sent = rendered(dialect("several calls in a message"))[3:7]
    assert [message["role"] for message in sent] == ["assistant", "tool", "assistant", "tool"]
    assert [sent[0]["content"], sent[2]["content"]] == ["I look.", None]


def test_the_system_prompt_begins_the_first_user_message() -> None:
    sent = rendered(dialect("a system message"))
    assert sent[0] == user("You are on call.\n\nCheckout fails.")
    assert all(message["role"] != "system" for message in sent)


def test_the_strictest_host_can_read_a_conversation() -> None:
    sent = rendered(STRICTEST)
    assert [message["role"] for message in sent[:3]] == ["user", "assistant", "tool"]
    assert sent[-1] == user("Thanks. And now?")


@pytest.mark.parametrize("refused", [(), ("call ids of other hosts",)])
def test_call_ids_begin_as_the_host_demands(refused: tuple[Feature, ...]) -> None:
    host = dialect(*refused).after(CallIdPrefix("call_"))
    ids = [call["id"] for message in rendered(host) for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in rendered(host) if message["role"] == "tool"]
    assert len(set(ids)) == len(ids) == 4
    assert results == ids
    assert all(call_id.startswith("call_") for call_id in ids)
    assert host.learnt_since(dialect(*refused)) == ["call ids that do not begin with call_"]


@pytest.mark.parametrize("host", [dialect("added fields of messages"), dialect().after(MessageField("outputs"))])
def test_fields_of_the_function_of_a_call_are_left_out(host: Dialect) -> None:
    asked = call("a")
    asked["function"] |= {"outputs": 1}
    _, _, message, _ = rendered(host, [*OPENING, *round_of(asked)])
    assert message["tool_calls"] == [call("a")]
