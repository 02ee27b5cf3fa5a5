"""Marks behind unsupported claims."""

from __future__ import annotations

import pytest

from watchkeeper.contracts import Claim
from watchkeeper.incident.claim_marks import mark
from watchkeeper.incident.claims import Records, unsupported_claims


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


def test_only_the_occurrences_that_are_unsupported_are_marked() -> None:
    report = "No one was paged. Later the DBA was paged. Nobody else was paged."
    claim = Claim(text="paged", kind="action", why="", occurrences=[1])
    assert mark(report, [claim]) == "No one was paged. Later the DBA was paged [unsupported]. Nobody else was paged."


@pytest.mark.parametrize(
    ("report", "marked"),
    [
        ("The DBA was paged. Nobody was paged.", "The DBA was paged [unsupported]. Nobody was paged."),
        ("Nobody was paged, but the DBA was paged.", "Nobody was paged, but the DBA was paged [unsupported]."),
        ("I paged search. I paged ads.", "I paged [unsupported] search. I paged [unsupported] ads."),
        ("Next step: rolled back? I rolled back.", "Next step: rolled back? I rolled back [unsupported]."),
    ],
)
def test_the_same_words_in_a_true_statement_are_not_marked(report: str, marked: str) -> None:
    assert mark(report, unsupported_claims(report, Records())) == marked
