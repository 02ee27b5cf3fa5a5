"""Find the code in a Markdown text: fenced blocks, code between backticks, and quoted lines (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

_RUN = re.compile(r"`+|^[ \t]{0,3}~{3,}", re.MULTILINE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")
_LANGUAGE = re.compile(r"[ \t]*([\w+.-]*)(?=\s|\Z)[ \t]*\n?")
_NOT_LINE_END = re.compile(r"[^\n]")
_REST_OF_LINE_IS_EMPTY = re.compile(r"[ \t]*(?:\n|\Z)")
_QUOTED_LINE = re.compile(r"^[ \t]{0,3}>(?!>).*$", re.MULTILINE)
_FENCE = 3


class CodeSpan(NamedTuple):
    """A part of a text that is code or quoted."""

    kind: Literal["fence", "inline", "quote"]
    start: int
    end: int
    inner_start: int
    """Where the content begins, after the delimiter and the language."""
    inner_end: int
    language: str = ""
    """The word after the opening fence, in lower case."""
    closed: bool = True


def code_spans(text: str) -> list[CodeSpan]:
    """Return the code of a text in order. A quoted line may be in a fence. Takes linear time.

    A fence may begin within a line, as models write it. A fence without an end reaches to the end of the text.
    """
    spans = [
        CodeSpan("quote", found.start(), found.end(), found.start() + 1, found.end())
        for found in _QUOTED_LINE.finditer(text)
    ]
    text = masked(text, [(span.start, span.end) for span in spans])
    runs = [(found.start(), found.end()) for found in _RUN.finditer(text)]
    following = _following_runs(text, runs)
    position = 0
    while position < len(runs):
        start, end = runs[position]
        if end - start >= _FENCE:
            span, position = _fence(text, runs, position)
            spans.append(span)
        elif (closing := following[position]) is not None:
            spans.append(CodeSpan("inline", start, runs[closing][1], end, runs[closing][0]))
            position = closing + 1
        else:
            position += 1
    return sorted(spans, key=lambda span: span.start)


def masked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text of the same length in which the spans are spaces; line ends stay."""
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        if end > position:
            begin = max(start, position)
            pieces += text[position:begin], _NOT_LINE_END.sub(" ", text[begin:end])
            position = end
    return "".join([*pieces, text[position:]])


def _following_runs(text: str, runs: list[tuple[int, int]]) -> list[int | None]:
    """Return for each run of backticks the next one of the same length in its paragraph."""
    following: list[int | None] = [None] * len(runs)
    next_of_length: dict[int, int] = {}
    paragraph_ends = [found.start() for found in _PARAGRAPH_END.finditer(text)]
    for position in range(len(runs) - 1, -1, -1):
        start, end = runs[position]
        while paragraph_ends and paragraph_ends[-1] >= end:
            paragraph_ends.pop()
            next_of_length.clear()
        following[position] = next_of_length.get(end - start)
        next_of_length[end - start] = position
    return following


def _fence(text: str, runs: list[tuple[int, int]], opening: int) -> tuple[CodeSpan, int]:
    """Return the fence that a run opens, and the position of the first run after it."""
    start, end = runs[opening]
    header = _LANGUAGE.match(text, end)
    language = header[1].lower() if header else ""
    inner = header.end() if header else end
    for position in range(opening + 1, len(runs)):
        closing_start, closing_end = runs[position]
        long_enough = closing_end - closing_start >= end - start
        same = text[closing_end - 1] == text[end - 1]
        on_one_line = text.find("\n", end, closing_start) < 0
        if long_enough and same and (on_one_line or _REST_OF_LINE_IS_EMPTY.match(text, closing_end)):
            inner = min(inner, closing_start)
            return CodeSpan("fence", start, closing_end, inner, closing_start, language), position + 1
    return CodeSpan("fence", start, len(text), min(inner, len(text)), len(text), language, closed=False), len(runs)
