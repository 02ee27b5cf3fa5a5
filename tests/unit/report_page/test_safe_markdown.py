"""The model's Markdown on a page: shown, never obeyed."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt

from tests.support.report_page_data import RUDE
from watchkeeper.report_page.html_builder import Html, html, tag
from watchkeeper.report_page.safe_markdown import fenced, harmless, prose

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


def test_everything_is_escaped_that_is_not_html_already() -> None:
    written = tag("p", "a < b & c", Html("<b>d</b>"), class_='"><script>', aria_label=None, x=1.25)
    assert written == '<p class="&quot;&gt;&lt;script&gt;" x="1.2">a &lt; b &amp; c<b>d</b></p>'
    assert html("a\x1b[31m\u202eb\r\nc") == "a\ufffd[31m\ufffdb\nc"


def test_a_report_is_laid_out() -> None:
    page = prose("# Cause\n\n**A deploy.** [Runbook](https://r.example/x)\n\n| a | b |\n|---|--:|\n| 1<br>2 | 3 |")
    assert "<h3>Cause</h3>" in page
    assert "<strong>A deploy.</strong>" in page
    assert '<a href="https://r.example/x" rel="noreferrer nofollow">Runbook</a>' in page
    assert "<td>1<br>2</td>" in page
    assert '<td class="number">3</td>' in page


@pytest.mark.parametrize("link", LINKS)
def test_a_link_leads_to_the_web_or_nowhere(link: str) -> None:
    assert "href" not in prose(link)
    viewer = MarkdownIt("commonmark")
    viewer.validateLink = lambda url: True  # type: ignore[method-assign]
    assert "href" not in viewer.render(harmless(link))


@pytest.mark.parametrize("rude", RUDE)
def test_html_in_a_report_is_text(rude: str) -> None:
    for text in (rude, f"# {rude}", f"- {rude}\n\n  {rude}", f"| {rude} |\n|---|\n| {rude} |"):
        page = prose(text)
        allowed = r"</?(h3|p|ul|li|table|thead|tbody|tr|th|td|em|br)( (dir=\"auto\"))?>"
        assert "<" not in re.sub(allowed, "", page), page
        shown = MarkdownIt("commonmark").render(harmless(text))
        assert not re.search(r"<(script|img|svg|iframe)|</(style|title)", shown), shown


def test_a_picture_is_not_fetched() -> None:
    assert "<img" not in prose("![x](https://outside.example/x.png)")
    assert "<img" not in MarkdownIt("commonmark").render(harmless("![x](https://outside.example/x.png)"))


def test_harmless_markdown_stays_as_it_is() -> None:
    text = "# Cause\n\n- 1 < 2 & `a<b>`\n\n```\nList<int>\n```\n\n[r](https://r.example) a<br>b"
    assert harmless(text) == text


def test_no_text_ends_its_block_of_code() -> None:
    assert fenced("a\n````\nb").startswith("`````text\n")
