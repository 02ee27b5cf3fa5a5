from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.quoting_reports import QUOTING_REPORTS
from tests.support.written_call_forms import (
    ARGUMENTS,
    BEGIN,
    CALL,
    END,
    IN_A_SENTENCE,
    KWARGS,
    OBJECT,
    RUNNABLE,
    TOOLS,
    UNREADABLE,
)
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.tool_calls_in_text import TextCalls, find_text_calls

REPORT = "**Status:** 18 % of orders fail.\n\n**Next step:** roll back to 2.4.0."
IN_A_THOUGHT = {"thought around"}
SEVERAL_LINES_OF_A_CHANNEL = {"harmony after analysis"}
SECTION = "<|tool_calls_section_begin|>"


def calls(found: TextCalls | None) -> list[tuple[str, JsonObject]]:
    assert found is not None
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in found.calls]


def kept(found: TextCalls | None) -> str:
    assert found is not None
    return found.text.strip()


def positions(text: str) -> Iterator[tuple[str, str]]:
    """Yield a call at each place of a text, with what remains without it."""
    yield text, ""
    yield f"I look now.\n\n{text}", "I look now."
    yield f"{text}\n\nI will wait.", "I will wait."
    yield f"I look now.\n{text}\nI will wait.", "I look now.\n\nI will wait."
    yield f"{REPORT}\n\n{text}", REPORT


@pytest.mark.parametrize("form", RUNNABLE)
def test_a_written_call_runs_wherever_it_is(form: str) -> None:
    has_thought = "<think>" in RUNNABLE[form] or "Thought:" in RUNNABLE[form] or "<|message|>" in RUNNABLE[form]
    for text, rest in positions(RUNNABLE[form]):
        if text != RUNNABLE[form] and form in IN_A_THOUGHT:
            continue
        found = find_text_calls(text, TOOLS)
        if "```" not in text or REPORT not in text:
            assert calls(found) == [("search_logs", ARGUMENTS)], text
        assert has_thought or kept(found).replace("\n\n\n", "\n\n") == rest, text


@pytest.mark.parametrize("form", sorted(RUNNABLE.keys() - IN_A_THOUGHT - SEVERAL_LINES_OF_A_CHANNEL))
def test_a_written_call_in_a_fence_is_no_answer(form: str) -> None:
    if "```" not in RUNNABLE[form]:
        assert find_text_calls(f"I look now.\n```\n{RUNNABLE[form]}\n```", TOOLS) is not None
        assert find_text_calls(f"```xml\n{RUNNABLE[form]}\n```\nI will wait.", TOOLS) is not None


@pytest.mark.parametrize("form", RUNNABLE)
def test_a_call_that_was_cut_is_no_answer(form: str) -> None:
    text = RUNNABLE[form]
    for end in range(text.index("search_logs") + len("search_logs") + 2, len(text)):
        assert find_text_calls(text[:end], TOOLS) is not None, text[:end]
        if form not in IN_A_THOUGHT:
            assert find_text_calls(f"I look now.\n\n{text[:end]}", TOOLS) is not None, text[:end]


@pytest.mark.parametrize("form", RUNNABLE)
def test_two_written_calls_both_run(form: str) -> None:
    if form not in IN_A_THOUGHT | {"thought before"} and "Thought:" not in RUNNABLE[form]:
        text = f"{RUNNABLE[form]}\n\n{RUNNABLE[form]}"
        assert calls(find_text_calls(text, TOOLS)) == [("search_logs", ARGUMENTS)] * 2


@pytest.mark.parametrize("form", IN_A_SENTENCE)
def test_a_call_in_a_sentence_runs(form: str) -> None:
    assert calls(find_text_calls(IN_A_SENTENCE[form], TOOLS)) == [("search_logs", ARGUMENTS)]


@pytest.mark.parametrize("form", UNREADABLE)
@pytest.mark.parametrize("place", ["{}", "I look now.\n\n{}"])
def test_a_call_that_cannot_run_is_no_answer(form: str, place: str) -> None:
    if place != "{}" and ("json" in form or form.startswith(("several", "only"))) and form != "json before words":
        return
    found = find_text_calls(place.replace("{}", UNREADABLE[form]), TOOLS)
    assert found is not None
    assert found.calls == []


@pytest.mark.parametrize("report", QUOTING_REPORTS)
def test_a_report_that_quotes_is_an_answer(report: str) -> None:
    assert find_text_calls(report, TOOLS) is None
    assert find_text_calls(f"{REPORT}\n\n{report}", TOOLS) is None


@pytest.mark.parametrize("form", sorted(RUNNABLE.keys() - IN_A_THOUGHT))
def test_a_report_may_quote_any_call(form: str) -> None:
    text = RUNNABLE[form]
    quoted = [f"> {text}".replace("\n", "\n> "), f"````\n12:03 ERROR parser: {text}\n````\nIt began at 12:03."]
    if "`" not in text and "\n" not in text:
        quoted += [f"- `{text}` was in the log 12 times.", f"`{text}`\n"]
    for quotation in quoted:
        assert find_text_calls(f"{REPORT}\n\n**Evidence:**\n\n{quotation}", TOOLS) is None, quotation


def test_calls_that_can_run_do_and_others_are_dropped() -> None:
    cut = f"{BEGIN}functions.page_engineer:1<|tool_call_argument_begin|>" + '{"te'
    whole = RUNNABLE["k2 block"]
    for text in (whole + cut, cut + whole, f"<tool_call>find_bugs\n{OBJECT}</tool_call>{whole}"):
        assert calls(find_text_calls(text, TOOLS)) == [("search_logs", ARGUMENTS)]


def test_the_id_of_a_call_is_kept() -> None:
    texts = {
        RUNNABLE["k2 block"]: "functions.search_logs:0",
        RUNNABLE["k2 without index"]: None,
        RUNNABLE["openai entry"]: "call_1",
    }
    for text, call_id in texts.items():
        found = find_text_calls(text, TOOLS)
        assert found is not None
        assert [call["id"] for call in found.calls] == [call_id]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("<tool_call><function=search_logs><parameter=service>a</parameter><parameter=query>5</parameter>"
         "<parameter=minutes>5</parameter></function></tool_call>", {"service": "a", "query": "5", "minutes": 5}),
        ("search_logs(service='it\\'s', query=\"a, b) c\", minutes=5)",
         {"service": "it's", "query": "a, b) c", "minutes": 5}),
        ('<invoke name="search_logs"><parameter name="service">a</parameter><parameter name="query">x < 5 & "y"'
         "</parameter></invoke>", {"service": "a", "query": 'x < 5 & "y"'}),
        ("list_incidents()", {}),
        ("<tool_call>list_incidents</tool_call>", {}),
        ('<invoke name="list_incidents"/>', {}),
        ('<tool_call>{"name": "list_incidents"}</tool_call>', {}),
    ],
)  # fmt: skip
def test_written_arguments_get_the_types_of_the_tool(text: str, arguments: JsonObject) -> None:
    assert [found for _, found in calls(find_text_calls(text, TOOLS))] == [arguments]


def test_several_tools_in_one_expression() -> None:
    found = find_text_calls(f'[{KWARGS}, get_deploys(service="checkout")]', TOOLS)
    assert calls(found) == [("search_logs", ARGUMENTS), ("get_deploys", {"service": "checkout"})]


@pytest.mark.parametrize(
    "text", ["", "Checkout is down.", f"{BEGIN}functions" + "{name}:{idx}<|tool_sep|>{json}" + END]
)
def test_prose_is_an_answer(text: str) -> None:
    assert find_text_calls(text, TOOLS) is None
    assert find_text_calls(text, {}) is None


SNIPPETS = [
    *("<tool_call>", "</tool_call>", "<|", "|>", "<｜", "｜>", BEGIN, END, SECTION, "[TOOL_CALLS]", "<invoke name="),
    *("search_logs", "search_logs(", "page_engineer", "functions.", ":0", CALL, OBJECT, KWARGS, "{", "}", "[", "]"),
    *('"', "'", "=", ",", "\n", "\n\n", " ", "`", "```", "```json\n", "> ", "Action: ", "Action Input: ", "to=", "- "),
    *("<think>", "</think>", "<|channel|>", "<|message|>", "commentary", "analysis", "<arg_key>", "</arg_key>", "("),
    *("<parameter=", "<function=", ")", "**Status:**"),
]


@given(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=8), max_size=30).map("".join))
@settings(max_examples=600, deadline=None)
def test_any_text(text: str) -> None:
    found = find_text_calls(text, TOOLS)
    for name, arguments in calls(found) if found else []:
        assert name in TOOLS
        schema = TOOLS[name]
        assert set(schema.get("required", ())) <= arguments.keys() <= schema["properties"].keys()


PIECES = [
    *SNIPPETS,
    *(
        '{"a":',
        "[ ",
        '{"name": "search_logs", ',
        "search_logs(a=",
        'search_logs({"q":',
        '<a b="',
        "search_logs\n{",
        "<a:",
    ),
    *(
        "<function=search_logs><parameter=q>",
        "<search_logs>",
        "a = ",
        "\\",
        "- search_logs(\n",
        "`a` ",
        "<tool_response>",
    ),
    *(
        "```a",
        "<tool_call> ",
        "<tool_call>{",
        "<tool_call>\n",
        "to=functions.search_logs ",
        "<parameter=q>",
        "call:search_logs{",
    ),
    *("Action: search_logs\n", "search_logs(a=1), ", '{"function":', '<invoke name="search_logs">', "{'a': "),
]


@pytest.mark.parametrize("piece", PIECES)
def test_the_time_for_a_text_grows_with_its_length(piece: str) -> None:
    short, long = (_seconds((piece * (size // len(piece) + 1))[:size]) for size in (8_192, 65_536))
    assert long < 0.1 + 24 * short  # with the square of the length: 64 times


def _seconds(text: str) -> float:
    """Return the processor time that a text takes."""
    began = time.process_time()
    find_text_calls(text, TOOLS)
    return time.process_time() - began
