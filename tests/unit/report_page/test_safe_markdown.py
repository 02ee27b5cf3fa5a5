"""Markdown from the model is safe to show."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from tests.support.report_page_data import HOSTILE_TEXTS
from watchkeeper.report_page.safe_markdown import code_block, markdown_to_html
from watchkeeper.text import harmless

LINKS = (
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "<javascript:alert(1)>",
    "[x](data:text/html;base64,AAAA)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//outside.example)",
    "[x][r]\n\n[r]: javascript:alert(1)",
)


def test_markdown_becomes_html() -> None:
    page = markdown_to_html(
        "# Cause\n\n**A deploy.** [Runbook](https://r.example/x)\n\n| a | b |\n|---|--:|\n| 1<br>2 | 3 |"
    )
    assert "<h3>Cause</h3>" in page
    assert "<strong>A deploy.</strong>" in page
    assert '<a href="https://r.example/x" rel="noreferrer nofollow">Runbook</a>' in page
    assert "<td>1<br>2</td>" in page
    assert '<td class="number">3</td>' in page


@pytest.mark.parametrize("link", LINKS)
def test_unsafe_links_are_removed(link: str) -> None:
    assert "href" not in markdown_to_html(link)
    viewer = MarkdownIt("commonmark")
    viewer.validateLink = lambda url: True  # type: ignore[method-assign]
    assert "href" not in viewer.render(harmless(link))


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_html_in_a_report_is_text(hostile: str) -> None:
    for text in (hostile, f"# {hostile}", f"- {hostile}\n\n  {hostile}", f"| {hostile} |\n|---|\n| {hostile} |"):
        page = markdown_to_html(text)
        allowed = r"</?(h3|p|ul|li|table|thead|tbody|tr|th|td|em|br)( (dir=\"auto\"))?>"
        assert "<" not in re.sub(allowed, "", page), page
        shown = MarkdownIt("commonmark").render(harmless(text))
        assert not re.search(r"<(script|img|svg|iframe)|</(style|title)", shown), shown


def test_control_characters_become_visible() -> None:
    assert markdown_to_html("a\x1b[31m &#27; &#x202e;b") == '<p dir="auto">a\ufffd[31m \ufffd \ufffdb</p>\n'


def test_images_are_removed() -> None:
    assert "<img" not in markdown_to_html("![x](https://outside.example/x.png)")
    assert "<img" not in MarkdownIt("commonmark").render(harmless("![x](https://outside.example/x.png)"))


def test_a_text_cannot_end_its_code_block() -> None:
    assert code_block("a\n````\nb").startswith("`````text\n")
