"""The model's Markdown: shown, never obeyed (pure).

It may quote logs that anybody wrote. So it holds no HTML and no picture, and its links lead to the web or to a mailbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from watchkeeper.console import visible
from watchkeeper.report_page.html_builder import Html, html

_ADDRESS = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_BREAK = re.compile(r"&lt;br\s*/?&gt;", re.IGNORECASE)


class _Renderer(RendererHTML):
    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Models break the lines of a table's cell in the only way there is."""
        return _BREAK.sub("<br>", html(tokens[idx].content))


def _parser(*, raw: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": raw}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    if not raw:
        parser.disable("image")
    parser.validateLink = lambda url: raw or bool(_ADDRESS.match(url))  # type: ignore[method-assign]
    return parser


_SHOWING, _SEEKING = _parser(raw=False), _parser(raw=True)


def prose(text: str, *, level: int = 3) -> Html:
    """Return Markdown as HTML whose highest heading is of a level."""
    tokens = _SHOWING.parse(_readable(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + level - 1)}"
        elif token.attrs.pop("style", None) == "text-align:right":  # a page without inline styles
            token.attrSet("class", "number")
        elif token.type.endswith("_open") and token.tag in ("p", "li", "blockquote"):
            token.attrSet("dir", "auto")
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("rel", "noreferrer nofollow")
    return Html(_SHOWING.renderer.render(tokens, _SHOWING.options, {}))


def harmless(text: str) -> str:
    """Return Markdown that any viewer can be given: the same, without what a viewer might run or fetch."""
    text = _readable(text)
    lines = text.split("\n")
    for token in _SEEKING.parse(text):
        if token.map and any(inner.type in ("html_inline", "html_block", "image") for inner in _all([token])):
            for number in range(*token.map):
                lines[number] = re.sub(r"(?<!\\)(<(?!br\s*/?>)(?=[a-zA-Z/!?])|!(?=\[))", r"\\\1", lines[number])
    tamed = "\n".join(lines)
    return tamed if all(map(_is_harmless, _all(_SEEKING.parse(tamed)))) else fenced(text)


def fenced(text: str) -> str:
    """Return a text as a block of code, which no text can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _readable(text: str) -> str:
    return visible(text.replace("\r\n", "\n"))


def _all(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _is_harmless(token: Token) -> bool:
    if token.type == "link_open":
        return bool(_ADDRESS.match(str(token.attrs.get("href", ""))))
    if token.type == "html_inline":
        return bool(_BREAK.fullmatch(html(token.content)))
    return token.type not in ("html_block", "image")
