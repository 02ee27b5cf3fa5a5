"""Find tool calls that a model wrote into its text, by their shape.

A call is found where markup of a chat template opens it, where JSON names a tool, where an expression or a label that
names a tool has a line to itself, and in a channel that is addressed to a tool. Code and lines that a report quotes are
no calls. A call runs only if it names a tool and its arguments can be read with certainty and fit the tool; any other
call only shows that the text is not an answer.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from watchkeeper.code_spans import CodeSpan, code_spans, masked
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.plain_characters import plain_spelling
from watchkeeper.llm.report_shape import is_report
from watchkeeper.llm.template_markup import marks, uniform
from watchkeeper.llm.written_call import WrittenCall
from watchkeeper.llm.written_calls import CallScanner
from watchkeeper.thought import thought_spans

_CALL_LANGUAGES = {
    *("tool_code", "tool_call", "tool_calls", "tool_use", "function_call", "tool", "python", "py"),
    *("javascript", "js", "typescript", "ts"),
}
"""Languages of code blocks in which models write calls between other statements."""

_DATA_LANGUAGES = {"yaml", "yml", "toml", "ini", "properties", "log", "logs", "text", "txt", "sql", "promql", "diff"}
"""Languages of code blocks that a text quotes, if it continues after them."""

_BRACKETS_LINE = re.compile(r"^[ \t]*[\[\](){}<>,;`]+[ \t]*$", re.MULTILINE)
_BEFORE_CALL = re.compile(
    r"(?:(?:assistant|commentary|functools|\**(?:next[ _])?action\**:\**|<[|｜][\w▁]{1,30}[|｜]>|[<`\[(]|[ \t])+)\Z",
    re.IGNORECASE,
)
_AFTER_CALL = re.compile(r"(?:\s{0,20}(?:</[^<>\n]{1,60}>|<[|｜][^<>\n]{1,60}>|[>\])`]{1,3}))*")
_LONGEST_BEFORE, _LONGEST_LABEL, _LONGEST_LOG_LINE = 60, 100, 1_000
_LABEL_ONLY = re.compile(
    r"(?P<end>[\W_]*)"
    r"(?:(?:action|tool|function)?[ _]?(?:action|tool|function|inputs?|arguments?|args|parameters?|call|name)[\W_]*)?",
    re.IGNORECASE,
)
_CHANNEL = "<|channel|>"
_SENTENCE_ENDS = re.compile(r"[.:!][ \t]?\Z")
_SENTENCE_CONTINUES = re.compile(r"(?:</[^<>]{1,60}>)?[ \t]?[\"'”]?[,;)]?[ \t][a-z0-9]")
_LOG_LINE = re.compile(
    r"^[^\w\n]{0,9}(?:\d{4}-\d\d-\d\d[T ]\d\d:|\d\d:\d\d(?::\d\d)?\S{0,16}[ \t]\W{0,3}[A-Z]{4,8}\b"
    r"|(?:ERROR|WARN(?:ING)?|INFO|DEBUG|FATAL|TRACE)\b)"
)
_QUOTE_MARK = re.compile(r"^[ \t]{0,3}>(?!>)", re.MULTILINE)
_WORD = re.compile(r"\w")


class TextCalls(NamedTuple):
    """Calls found in a text."""

    calls: list[JsonObject]
    """The calls that can run, in the shape of ``tool_calls``; empty if none can be read with certainty."""
    text: str
    """The text without the calls."""


def find_text_calls(text: str, tools: Mapping[str, JsonObject]) -> TextCalls | None:
    """Find calls in a text. None if the text contains no call; it may mention the tokens of calls.

    ``tools`` are the JSON schemas of the arguments by tool. A call that is escaped or spelled otherwise is found, too;
    the text around it is then returned in plain spelling. Takes linear time.
    """
    found = _find_calls(text, tools)
    if found is not None and found.calls:
        return found
    plain = plain_spelling(text, tools)
    return (_find_calls(plain, tools) if plain != text else None) or found


def _find_calls(text: str, tools: Mapping[str, JsonObject]) -> TextCalls | None:
    thoughts = thought_spans(text)
    if not masked(text, thoughts).strip():  # the whole text is a thought, and so is the call in it
        thoughts = []
    visible = uniform(masked(text, thoughts))
    code = code_spans(visible)
    if not _WORD.search(masked(visible, [(span.start, span.end) for span in code if span.kind == "quote"])):
        visible = _QUOTE_MARK.sub(lambda mark: " " * len(mark[0]), visible)
        code = code_spans(visible)
    reports = is_report(masked(visible, _places(code)))
    plain = _without_quotations(visible, code, reports=reports)
    found = CallScanner(plain, tools, reports=reports).all()
    found = _without_parts_of_code(found, code, plain, reports=reports)
    found = [call for call in found if call.name is not None or not _is_in_sentence(plain, call)]
    found = [call for call in found if not _is_in_log_line(plain, call)]
    if any(call.only_alone for call in found) and _has_words(
        masked(plain, [_with_markup(plain, call) for call in found])
    ):
        found = [call for call in found if not call.only_alone]
    if not found and (_has_words(visible) or not _has_call_marks(plain)):
        return None
    certain = _outside(found, _places([span for span in code if span.kind != "quote"])) if reports else found
    calls = [entry for call in certain if (entry := call.entry(tools)) is not None]
    tokens = [span for span in thoughts if _CHANNEL in text or not _has_words(text[slice(*span)])]
    kept = masked(text, tokens)
    return TextCalls(calls, _rest(kept, plain, found, code))


def _places(code: Sequence[CodeSpan]) -> list[tuple[int, int]]:
    return [(span.start, span.end) for span in code]


def _without_quotations(text: str, code: Sequence[CodeSpan], *, reports: bool) -> str:
    """Mask what a reader takes for a quotation. Of other code, only the delimiters are masked."""
    hidden: list[tuple[int, int]] = []
    for span in code:
        if _is_quotation(text, span, reports=reports):
            hidden.append((span.start, span.end))
        else:
            hidden += [(span.start, span.inner_start), (span.inner_end, span.end)]
    return masked(text, hidden)


def _is_quotation(text: str, span: CodeSpan, *, reports: bool) -> bool:
    if span.kind == "fence":
        return (reports or span.language in _DATA_LANGUAGES) and bool(_WORD.search(text, span.end))
    if span.kind == "inline":
        line_start = text.rfind("\n", max(0, span.start - _LONGEST_LABEL), span.start) + 1
        line_end = text.find("\n", span.end, span.end + _LONGEST_LABEL)
        before = text[line_start or max(0, span.start - _LONGEST_LABEL) : span.start]
        after = text[span.end : span.end + _LONGEST_LABEL if line_end < 0 else line_end]
        if not reports and _SENTENCE_ENDS.search(before) and not _WORD.search(after):
            return False
        label = _LABEL_ONLY.fullmatch(before + after)
        return label is None or (reports and label["end"] == before + after)
    return True


def _without_parts_of_code(
    found: list[WrittenCall], code: Sequence[CodeSpan], text: str, *, reports: bool
) -> list[WrittenCall]:
    """Leave out calls that are a part of a block with other content, such as a line of a log."""
    others = masked(text, [(call.start, call.end) for call in found])
    mixed = [
        (span.inner_start, span.inner_end)
        for span in code
        if span.kind == "fence"
        and span.language not in _CALL_LANGUAGES
        and _has_words(others[span.inner_start : span.inner_end])
    ]
    if reports:
        return _outside(found, mixed)
    inside = set(found) - set(_outside(found, mixed))
    return [call for call in found if call not in inside or _begins_line(text, call)]


def _begins_line(text: str, call: WrittenCall) -> bool:
    line = text[text.rfind("\n", 0, call.start) + 1 : call.start]
    before = _BEFORE_CALL.search(line[-_LONGEST_BEFORE:])
    return _WORD.search(line[: len(line) - len(before[0])] if before else line) is None


def _is_in_log_line(text: str, call: WrittenCall) -> bool:
    """Return whether a call is in a line that begins as lines of logs do, which the text then quotes."""
    earliest = max(0, call.start - _LONGEST_LOG_LINE)
    line_start = text.rfind("\n", earliest, call.start) + 1
    if not line_start and earliest:
        return False
    return _LOG_LINE.match(text[line_start : min(call.start, line_start + _LONGEST_LABEL)]) is not None


def _is_in_sentence(text: str, call: WrittenCall) -> bool:
    """Return whether a call is in the middle of a sentence, which then quotes it."""
    line_end = text.find("\n", call.end)
    after = text[call.end : len(text) if line_end < 0 else line_end]
    return not _begins_line(text, call) and _SENTENCE_CONTINUES.match(after) is not None


def _outside(found: Sequence[WrittenCall], spans: Sequence[tuple[int, int]]) -> list[WrittenCall]:
    """Return the calls that begin outside the spans."""
    starts = [start for start, _ in spans]
    places = [bisect_right(starts, call.start) - 1 for call in found]
    return [call for call, place in zip(found, places, strict=True) if place < 0 or spans[place][1] <= call.start]


def _has_words(text: str) -> bool:
    """Return whether a text has letters or digits outside the markup of templates."""
    return _WORD.search(masked(text, [(mark.start, mark.end) for mark in marks(text)])) is not None


def _has_call_marks(text: str) -> bool:
    return any(mark.kind in ("opens_call", "closes_call") for mark in marks(text))


def _rest(text: str, plain: str, found: Sequence[WrittenCall], code: Sequence[CodeSpan]) -> str:
    """Return the text without the calls, the markup around them, and blocks that only held calls."""
    spans = [_with_markup(plain, call) for call in found]
    spans += [(mark.start, mark.end) for mark in marks(plain) if mark.kind in ("opens_call", "closes_call")]
    remaining = masked(plain, sorted(spans))
    spans += [
        (span.start, span.end)
        for span in code
        if plain[span.inner_start : span.inner_end].strip()
        and not _has_words(remaining[span.inner_start : span.inner_end])
    ]
    pieces: list[str] = []
    position = 0
    for start, end in sorted(spans):
        pieces.append(text[position : max(start, position)])
        position = max(end, position)
    return _BRACKETS_LINE.sub("", "".join([*pieces, text[position:]]))


def _with_markup(text: str, call: WrittenCall) -> tuple[int, int]:
    """Return the place of a call, with what templates write directly before and after it."""
    before = _BEFORE_CALL.search(text[max(0, call.start - _LONGEST_BEFORE) : call.start])
    after = _AFTER_CALL.match(text, call.end)
    return call.start - (len(before[0]) if before else 0), after.end() if after else call.end
