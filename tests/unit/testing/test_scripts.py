import pytest

from tests.support.model_requests import USER, assistant, call, request, result
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import ScriptEnded, always, by_first_message, calls, in_order, raw, says

ROUND = (assistant(call()), result())


def test_turns_are_chosen_by_the_replies_there_are() -> None:
    script = in_order([calls(("get_health", {"service": "checkout"})), says("degraded")])
    assert script(request()).finish_reason == "tool_calls"
    assert script(request(*ROUND)).message["content"] == "degraded"
    assert script(request()).finish_reason == "tool_calls"
    with pytest.raises(ScriptEnded, match="already holds 2"):
        script(request(*ROUND, {"role": "assistant", "content": "so"}, USER))


def test_openings_choose_the_script() -> None:
    script = by_first_message({"checkout": [says("one")], "search": in_order([says("two")])})

    def opened_with(text: str) -> JsonObject:
        return {"messages": [{"role": "user", "content": text}, *ROUND[:0]]}

    assert script(opened_with("What is wrong with checkout?")).message["content"] == "one"
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "search fails"}]}]}
    assert script(parts).message["content"] == "two"
    with pytest.raises(ScriptEnded, match="no script matches 'hello'; the scripts are for: 'checkout', 'search'"):
        script(opened_with("hello"))


def test_always_ends_when_there_are_no_tools() -> None:
    script = always(calls(("get_health", {})), without_tools=says("enough"))
    assert script(request(*ROUND, *ROUND)).finish_reason == "tool_calls"
    assert script({"messages": [USER]}).message["content"] == "enough"


def test_messages_hold_what_they_are_given() -> None:
    turn = calls(
        ("look", {"a": 1}), ("look", "no json", {"extra_content": {"s": 1}}), content="Looking.", reasoning="Hm."
    )
    assert turn.message == {
        "role": "assistant",
        "content": "Looking.",
        "reasoning_content": "Hm.",
        "tool_calls": [
            {"type": "function", "function": {"name": "look", "arguments": '{"a":1}'}},
            {"type": "function", "function": {"name": "look", "arguments": "no json"}, "extra_content": {"s": 1}},
        ],
    }
    assert not turn.exact_echo
    assert says("x", reasoning_content="y").message == {"role": "assistant", "content": "x", "reasoning_content": "y"}
    assert raw({"role": "robot"}, None).message == {"role": "robot"}
