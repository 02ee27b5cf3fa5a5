"""Marks behind unsupported claims."""

from __future__ import annotations

import pytest

from watchkeeper.contracts import Claim
from watchkeeper.incident.claim_marks import mark


@pytest.mark.parametrize(
    ("report", "texts", "marked"),
    [
        ("Errors: 73.4 %.", ["73.4 %"], "Errors: 73.4 % [unsupported]."),
        ("Errors: **73.4 %**.", ["73.4 %"], "Errors: **73.4 %** [unsupported]."),
        ("Errors: **73.4** % now.", ["73.4** %"], "Errors: **73.4** % [unsupported] now."),
        ("In `Cart.total` it", ["Cart.total"], "In `Cart.total` [unsupported] it"),
        ("In `a Cart.total b` it", ["Cart.total"], "In `a Cart.total b` [unsupported] it"),
        ("See [INC-9](https://x/INC-9).", ["INC-9"], "See [INC-9](https://x/INC-9) [unsupported]."),
        ("Paged X. paged", ["Paged"], "Paged [unsupported] X. paged"),
        ("12 % and 112 % and 12 %", ["12 %"], "12 % [unsupported] and 112 % and 12 % [unsupported]"),
        ("```\nv9.9.9 here\n```\nend", ["v9.9.9"], "```\nv9.9.9 here\n``` [unsupported]\nend"),
        ("Nothing.", ["v9"], "Nothing."),
        ("_v9.9.9_ is", ["v9.9.9"], "_v9.9.9_ [unsupported] is"),
    ],
)
def test_a_mark_is_behind_every_occurrence_and_breaks_no_markdown(report: str, texts: list[str], marked: str) -> None:
    assert mark(report, [Claim(text=text, kind="figure", why="") for text in texts]) == marked
