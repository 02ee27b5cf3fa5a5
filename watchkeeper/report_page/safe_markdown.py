"""Make Markdown from the model safe to show (pure).

The text may quote logs that anyone can write. The result contains no HTML and no images from it, and its links have
only the schemes http, https and mailto.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from watchkeeper.contracts import Claim
from watchkeeper.incident.claim_marks import MARK
from watchkeeper.text import visible

_SAFE_URL = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_MARK_LABEL = MARK.strip(" []")
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


class _Renderer(RendererHTML):
    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
        """Escape a text except for ``<br>``, which models write because table cells have no other line break."""
        parts = _LINE_BREAK.split(visible(tokens[idx].content))
        return "<br>".join(marked_text(part, env.get("claims", ())) for part in parts)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    parser.disable("image")
    parser.validateLink = lambda url: bool(_SAFE_URL.match(url))  # type: ignore[method-assign]
    return parser


_PARSER = _parser()


def marked_text(text: str, claims: Sequence[Claim]) -> Markup:
    """Return a text as HTML. If a report has unsupported claims, the marks behind them are ``mark`` elements."""
    if not claims:
        return escape(text)
    return Markup(f"<mark>{_MARK_LABEL}</mark>").join(escape(part) for part in text.split(f"[{_MARK_LABEL}]"))


def markdown_to_html(text: str, *, top_heading: int = 3, claims: Sequence[Claim] = ()) -> Markup:
    """Return Markdown as HTML; ``#`` becomes a heading of level ``top_heading``.

    ``claims`` are the unsupported claims of the report, which have marks in the text.
    """
    if claims:  # a text in brackets could be the name of a link that the model defines
        text = text.replace(MARK, f" \\[{_MARK_LABEL}\\]")
    tokens = _PARSER.parse(_visible(text))
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + top_heading - 1)}"
        elif token.attrs.pop("style", None) == "text-align:right":  # The report allows no inline styles.
            token.attrSet("class", "number")
        elif token.type.endswith("_open") and token.tag in ("p", "li", "blockquote"):
            token.attrSet("dir", "auto")
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noreferrer nofollow")
    return Markup(_PARSER.renderer.render(tokens, _PARSER.options, {"claims": claims}))


def code_block(text: str) -> str:
    """Return a text as a code block that the text itself cannot end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _visible(text: str) -> str:
    return visible(text.replace("\r\n", "\n"))
