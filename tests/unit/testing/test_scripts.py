import pytest

from tests.support.model_requests import USER, assistant, call, request, result
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import ScriptEnded, always, by_first_message, calls, in_order, raw, says

ROUND = (assistant(call()), result())


def test_the_number_of_replies_selects_the_next_one() -> None:
    script = in_order([calls(("get_health", {"service": "checkout"})), says("degraded")])
    assert script(request()).finish_reason == "tool_calls"
    assert script(request(*ROUND)).message["content"] == "degraded"
    assert script(request()).finish_reason == "tool_calls"
    with pytest.raises(ScriptEnded, match="already holds 2"):
        script(request(*ROUND, {"role": "assistant", "content": "so"}, USER))


def test_the_first_message_selects_the_script() -> None:
    script = by_first_message({"checkout": [says("one")], "search": in_order([says("two")])})

    def opened_with(text: str) -> JsonObject:
        return {"messages": [{"role": "user", "content": text}, *ROUND[:0]]}

    assert script(opened_with("What is wrong with checkout?")).message["content"] == "one"
    parts = {"messages": [{"role": "user", "content": [{"type": "text", "text": "search fails"}]}]}
    assert script(parts).message["content"] == "two"
    with pytest.raises(ScriptEnded, match="no script matches 'hello'; the scripts are for: 'checkout', 'search'"):
        script(opened_with("hello"))


def test_always_answers_a_request_without_tools_differently() -> None:
    script = always(calls(("get_health", {})), without_tools=says("enough"))
    assert script(request(*ROUND, *ROUND)).finish_reason == "tool_calls"
    assert script({"messages": [USER]}).message["content"] == "enough"


def test_replies_hold_their_arguments() -> None:
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
