"""HTML out of parts, of which everything is escaped that is not HTML already (pure)."""

from __future__ import annotations

from html import escape

from watchkeeper.console import visible

_ALONE = frozenset({"meta", "br"})
"""Elements without an end tag."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def html(text: str) -> Html:
    """Return a text as HTML that shows it; what no eye could see in it becomes visible."""
    return text if isinstance(text, Html) else Html(escape(visible(text.replace("\r\n", "\n"))))


def joined(*parts: str) -> Html:
    """Put parts behind each other."""
    return Html("".join(map(html, parts)))


def tag(name: str, /, *content: str, **attributes: str | float | None) -> Html:
    """Write an element; ``class_`` and ``aria_label`` are the attributes ``class`` and ``aria-label``, None is none."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    start = Html(f"<{name}{given}>")
    return start if name in _ALONE else joined(start, *content, Html(f"</{name}>"))


def _short(value: str | float) -> str:
    """Write a number as a picture needs it: to a tenth."""
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
