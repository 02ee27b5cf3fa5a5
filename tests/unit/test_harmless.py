"""A harmless text, in the hands of a real Markdown parser that allows everything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.report_page_data import HOSTILE_TEXTS
from watchkeeper.text import harmless

SCHEMES = ("javascript", "JaVaScRiPt", "vbscript", "data", "file", "ftp", "blob", "&#106;avascript", "java\\script")
BIDI = "\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
PIECES = (
    *(
        "<",
        ">",
        "[",
        "]",
        "(",
        ")",
        ":",
        "!",
        "&",
        "\\",
        "`",
        "```",
        "~~~",
        "\n",
        "\n\n",
        "    ",
        "\t",
        "> ",
        "- ",
        "|",
    ),
    *("|", "script", "a", "/", "//", "?", "img src=x onerror=alert(1)", "--", "&colon;", "&#58;", "&#x202e;", "&lrm;"),
    *(f"{scheme}:alert(1)" for scheme in SCHEMES),
    *(
        "https://a.example/x",
        "mailto:a@b.example",
        "[r]: ",
        "[x][r]",
        "](",
        "]:",
        "![",
        "<br>",
        "\x00",
        "\x1b[31m",
        "\ud800",
    ),
    *BIDI,
)
SAFE = re.compile(r"(?:https?://|mailto:)|(?!//)[^:]*\Z", re.IGNORECASE)


def parser() -> MarkdownIt:
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    found.validateLink = lambda url: True  # type: ignore[method-assign]
    return found


PARSER = parser()


def all_tokens(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from all_tokens(token.children or ())


class Tags(HTMLParser):
    """Finds the tags that a page would have which shows the text without a Markdown parser."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)

    def handle_comment(self, data: str) -> None:
        self.found.append(data)


def check(text: str) -> None:
    safe = harmless(text)
    assert harmless(safe) == safe
    assert Tags(safe).found == []
    assert not re.search(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f{BIDI}\ud800-\udfff]", safe)
    for token in all_tokens(PARSER.parse(safe)):
        assert token.type not in ("html_inline", "html_block", "image"), safe
        assert not re.search(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{BIDI}]", token.content), safe
        if token.type == "link_open":
            assert SAFE.match(str(token.attrs["href"])), safe


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
@example("> [x]:\n> javascript:alert(1)\n\n[x]")
@example("[x](<java\tscript:alert(1)>)")
@example("[x]:\n  <data:text/html,1>\n\n[x]")
@example("![x][r]\n\n[r]: https://a.example")
def test_no_viewer_finds_html_images_or_other_links(text: str) -> None:
    check(text)


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_texts_are_harmless(text: str) -> None:
    for whole in (text, f"# {text}", f"- {text}\n\n  {text}", f"| {text} |\n|---|\n| {text} |", f"`{text}`"):
        check(whole)


@pytest.mark.parametrize(
    "scheme", ["javascript:alert(1)", "vbscript:x", "data:text/html,x", "data:;base64,x", "file:///etc"]
)
@pytest.mark.parametrize("form", ["{}", "[x]({})", "[x](<{}>)", "[x]: {}", "<{}>", "[x](\n{} 'title')", "`{}`"])
def test_no_text_names_a_scheme_that_runs_or_reads(scheme: str, form: str) -> None:
    assert scheme.split(":")[0] + ":" not in harmless(form.format(scheme))


@pytest.mark.parametrize(
    "text",
    [
        "# Cause\n\n- 1 < 2 & 3 > 2\n\n[r](https://r.example/x?a=b&c=d) and [m](mailto:a@b.example)",
        "[here](docs/x.md#y)",
        "```\nkubectl get pods -l app=checkout\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |",
        "[ERROR]: out of memory\nthe data: 5 rows; file: a.txt\n**bold** _it_ `code` & &amp; ümläut 日本 עברית",
        "",
    ],
)
def test_an_ordinary_text_is_unchanged(text: str) -> None:
    assert harmless(text) == text


def test_a_command_still_works_when_it_is_copied() -> None:
    assert harmless("mysql <dump.sql && cat <<EOF") == "mysql < dump.sql && cat << EOF"
