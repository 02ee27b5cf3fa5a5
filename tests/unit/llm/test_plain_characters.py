"""Calls that are escaped, or spelled otherwise than their tools."""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable

import pytest

from tests.support.written_call_forms import ARGUMENTS, CALL, FUNCTION, INVOKE, KWARGS, OBJECT, RUNNABLE, TOOLS
from watchkeeper.llm.plain_characters import plain_spelling
from watchkeeper.llm.tool_calls_in_text import find_text_calls

FORMS = {
    name: RUNNABLE[name]
    for name in (
        "k2 section",
        "hermes",
        "qwen coder",
        "bare invoke",
        "glm",
        "llama python tag",
        "granite",
        "pythonic",
        "phi",
    )
}


def wide(text: str) -> str:
    return text.translate({ord(sign): chr(ord(sign) + 0xFEE0) for sign in "<>|()[]{}:=_/"})


DISGUISES: dict[str, Callable[[str], str]] = {
    "entities": html.escape,
    "entities but quotes": lambda text: html.escape(text, quote=False),
    "entities twice": lambda text: html.escape(html.escape(text)),
    "numbers": lambda text: re.sub(r"[<>\"_]", lambda sign: f"&#{ord(sign[0])};", text),
    "backslashes": lambda text: re.sub(r"([<>\[\]_|])", r"\\\1", text),
    "only underscores": lambda text: text.replace("_", "\\_"),
    "full width": wide,
    "hard spaces": lambda text: text.replace(" ", "\u00a0"),
    "invisible": lambda text: text.replace("_", "_\u200b").replace("|", "|\u2060"),
    "byte order mark": lambda text: f"\ufeff{text}",
    "curly quotes": lambda text: re.sub(r'"([^"]*)"', "“\\1”", text),
    "upper case name": lambda text: text.replace("search_logs", "SEARCH_LOGS"),
    "capital name": lambda text: text.replace("search_logs", "Search_Logs"),
    "hyphen": lambda text: text.replace("search_logs", "search-logs"),
    "camel case": lambda text: text.replace("search_logs", "searchLogs"),
    "server": lambda text: text.replace("search_logs", "mcp__watchkeeper__search_logs"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_call_in_another_spelling_runs(form: str, disguise: str) -> None:
    written = DISGUISES[disguise](FORMS[form])
    for text in (written, f"I look now.\n\n{written}"):
        found = find_text_calls(text, TOOLS)
        assert found is not None, text
        assert [json.loads(call["function"]["arguments"]) for call in found.calls] == [ARGUMENTS], text
        assert [call["function"]["name"] for call in found.calls] == ["search_logs"]
        assert "checkout" not in found.text


@pytest.mark.parametrize("prefix", ["watchkeeper.", "watchkeeper:", "tools/", "mcp__watchkeeper__"])
def test_the_name_in_json_may_have_the_name_of_its_server(prefix: str) -> None:
    found = find_text_calls(f"I look now.\n\n{CALL.replace('search_logs', prefix + 'search_logs')}", TOOLS)
    assert found is not None
    assert [call["function"]["name"] for call in found.calls] == ["search_logs"]


def test_a_name_whose_tokens_were_removed_is_found() -> None:
    assert find_text_calls(f"functionsearch_logs\n```json\n{OBJECT}\n```", TOOLS) is not None


@pytest.mark.parametrize(
    "text", [CALL, KWARGS, INVOKE, FUNCTION, "Checkout fails: 18 % since 13:42.", "a & b < c", r"C:\temp"]
)
def test_plain_text_does_not_change(text: str) -> None:
    assert plain_spelling(text, TOOLS) == text


def test_values_of_a_readable_call_are_not_changed() -> None:
    query = "&lt;b&gt; “x” \\u200b"
    call = json.dumps({"name": "search_logs", "arguments": {"service": "a", "query": query}}, ensure_ascii=False)
    found = find_text_calls(call, TOOLS)
    assert found is not None
    assert json.loads(found.calls[0]["function"]["arguments"])["query"] == query


def test_a_tool_with_a_single_word_as_name_is_only_found_as_it_is_spelled() -> None:
    tools = {"status": TOOLS["list_incidents"], "searchLogs": TOOLS["search_logs"], "search_logs": TOOLS["search_logs"]}
    assert plain_spelling("Status: {} SEARCHLOGS searchLogs search_logs", tools).startswith("Status: {} ")
    assert plain_spelling("searchLogs search_logs", tools) == "searchLogs search_logs"


@pytest.mark.parametrize(
    "piece", ["&", "&amp;", "\\", "<|", "< | ", "a__", '"a.', "search", "function", "search-logs ", "“"]
)
def test_the_time_for_a_text_grows_with_its_length(piece: str) -> None:
    short, long = (_seconds((piece * (size // len(piece) + 1))[:size]) for size in (8_192, 65_536))
    assert long < 0.1 + 24 * short  # with the square of the length: 64 times


def _seconds(text: str) -> float:
    """Return the processor time that a text takes."""
    began = time.process_time()
    plain_spelling(text, TOOLS)
    return time.process_time() - began
