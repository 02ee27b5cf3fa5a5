from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.code_spans import code_spans, masked


@pytest.mark.parametrize(
    ("text", "contents"),
    [
        ("no code", []),
        ("`a` and `b`", [("inline", "a"), ("inline", "b")]),
        ("``a ` b``", [("inline", "a ` b")]),
        ("a ` b\n\nc ` d", []),
        ("```\na\n```", [("fence", "a\n")]),
        ("```json\n{}\n```\nb", [("fence", "{}\n")]),
        ("```json {}```", [("fence", "{}")]),
        ("Call:```json\n{}\n```", [("fence", "{}\n")]),
        ("```a(b)```", [("fence", "a(b)")]),
        ("````\n```\na\n```\n````", [("fence", "```\na\n```\n")]),
        ("```json\n{}\n```log\nb\n```", [("fence", "{}\n```log\nb\n")]),
        ("~~~\n`a`\n~~~", [("fence", "`a`\n")]),
        ("```\na", [("fence", "a")]),
        ("> a `b`\nc `d`", [("quote", " a `b`"), ("inline", "d")]),
        (">>>a", []),
    ],
)
def test_code_is_found(text: str, contents: list[tuple[str, str]]) -> None:
    assert [(span.kind, text[span.inner_start : span.inner_end]) for span in code_spans(text)] == contents


def test_a_fence_has_a_language_and_an_end() -> None:
    closed, opened = (code_spans(text)[0] for text in ("```JSON\n{}\n```", "```\n{}"))
    assert (closed.language, closed.closed) == ("json", True)
    assert (opened.language, opened.closed) == ("", False)


@given(st.text("`~> \nab", max_size=60))
def test_any_text(text: str) -> None:
    spans = code_spans(text)
    assert all(0 <= s.start <= s.inner_start <= s.inner_end <= s.end <= len(text) for s in spans)
    hidden = masked(text, [(span.start, span.end) for span in spans])
    assert len(hidden) == len(text)
    assert hidden.count("\n") == text.count("\n")
