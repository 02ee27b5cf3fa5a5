from __future__ import annotations

import time

import pytest

from watchkeeper.llm.tool_calls_in_text import TextCalls, find_text_calls

TOOLS = frozenset({"search_logs", "page_engineer"})
SECTION, END_SECTION = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
BEGIN, ARGUMENTS, END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"


def block(head: str = "functions.search_logs:0", arguments: str = '{"q": 1}') -> str:
    return f"{BEGIN}{head}{ARGUMENTS}{arguments}{END}"


def called(name: str, call_id: str | None, arguments: str = '{"q": 1}') -> dict[str, object]:
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


FIRST = called("functions.search_logs:0", "functions.search_logs:0")


@pytest.mark.parametrize(
    ("text", "calls", "rest"),
    [
        (block(), [FIRST], ""),
        (f"{SECTION}{block()}{END_SECTION}", [FIRST], ""),
        (f"<|tool_call_section_begin|>{block()}<|tool_call_section_end|>", [FIRST], ""),
        (f"Let me look. {SECTION}{block()}{END_SECTION} So.", [FIRST], "Let me look.  So."),
        (
            block() + block("page_engineer:7", ""),
            [FIRST, called("page_engineer:7", "page_engineer:7", "")],
            "",
        ),
        (block(" functions.search_logs:0 \n"), [FIRST], ""),
        (block("search_logs"), [called("search_logs", None)], ""),
        (
            block("functions.find_bugs:3"),
            [called("functions.find_bugs:3", "functions.find_bugs:3")],
            "",
        ),
        (f"{block()}{BEGIN}functions.page_engineer:1{ARGUMENTS}" + '{"te', [FIRST], ""),
        (f"{BEGIN}functions.page_engineer:1{ARGUMENTS}" + '{"te' + block(), [FIRST], ""),
    ],
)
def test_complete_blocks_are_calls(text: str, calls: list[dict[str, object]], rest: str) -> None:
    assert find_text_calls(text, TOOLS) == TextCalls(calls, rest)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        (f"Looking. {SECTION}{BEGIN}functions.search_logs:0{ARGUMENTS}" + '{"q"', "Looking. "),
        (f"{BEGIN}functions.search_logs:0" + '{"q": 1}' + END, ""),
        (f"Looking. {BEGIN}functions.sea", "Looking. "),
        (block("functions.search_logs:0 and page_engineer"), ""),
        (f"Looking. {SECTION}", "Looking. "),
        (f"Looking. {SECTION}\n{BEGIN}", "Looking. \n"),
        (f"{SECTION} {END_SECTION}", " "),
        (END, ""),
        ('<tool_call>{"name": "search_logs", "arguments": {}}</tool_call>', ""),
        ('Looking. <tool_call>\n{"name": "sea', "Looking. "),
        ("<tool_call><function=search_logs><parameter=q>x</parameter></function></tool_call>", ""),
        ("<tool_call>search_logs\n<arg_key>q</arg_key><arg_value>x</arg_value></tool_call>", ""),
        ('{"name": "search_logs", "arguments": {"q": "x"}}', ""),
        ('{"name": "find_bugs", "parameters": {}}', ""),
        ('{"type": "function", "function": {"name": "search_logs", "arguments": "{}"}}', ""),
        ('{"tool_calls": [{"name": "search_logs", "arguments": {}}]}', ""),
        ('[{"name": "search_logs", "arguments": {}}]', ""),
        ('{"name": "a", "arguments": {}}\n{"name": "b", "arguments": {}}', ""),
        ('```json\n{"name": "search_logs", "arguments": {}}\n```', ""),
        ('{"name": "search_logs", "arguments": {"q', ""),
        ('functions.search_logs:0{"q": 1}functions.page_engineer:1{}', ""),
        ('search_logs({"q": 1})', ""),
        ('search_logs(q="x")\npage_engineer()', ""),
    ],
)
def test_other_calls_are_not_an_answer(text: str, rest: str) -> None:
    assert find_text_calls(text, TOOLS) == TextCalls([], rest)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The checkout service is down.",
        f"The host leaked {BEGIN} into the answer.",
        f"`{SECTION}` opens, `{BEGIN}` follows, then `{ARGUMENTS}` and `{END}`.",
        f"{BEGIN} and {ARGUMENTS} and {END} are tokens.",
        f"{BEGIN}functions" + "{name}:{idx}" + ARGUMENTS + "{json}" + END,
        "Models wrap calls in `<tool_call>` tags.",
        "search_logs (q=x) showed errors; roll back (see the runbook)",
        '{"service": "checkout", "healthy": false}',
        '{"name": "checkout", "status": "down"}',
        '{"name": "checkout", "arg',
        "[]",
        "[1, 2]",
        '```json\n{"healthy": false}\n```',
        '{"name": "search_logs", "arguments": {}} is what I would run',
        "```\nuptime\n```",
    ],
)
def test_prose_is_an_answer(text: str) -> None:
    assert find_text_calls(text, TOOLS) is None


@pytest.mark.parametrize(
    "text",
    [
        " " * 500_000 + "x",
        SECTION + " " * 500_000 + "x",
        f"{BEGIN}functions.a:0" * 20_000,
        block("functions.a:0") * 10_000,
        "<tool_call>" * 50_000,
        "<tool_call> " + "a" * 500_000,
        "```" + "a" * 500_000 + "```x",
        "search_logs(" * 50_000,
        "[" * 500_000,
        '{"function":' * 900 + "1" + "}" * 900,
    ],
    ids=lambda text: ascii(text)[:24],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.perf_counter()
    find_text_calls(text, TOOLS)
    assert time.perf_counter() - began < 5
