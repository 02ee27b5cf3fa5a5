"""Tool calls as activities: which failures are final, and the page that a call has sent, as the run records it."""

from __future__ import annotations

import pytest

from activities.call_tool import sent_page
from tests.support.settings import build_settings
from watchkeeper.contracts import PageRecord, ToolResult

ASKED = '{"service":"checkout","summary":"x"}'


@pytest.mark.parametrize(
    ("arguments", "result", "page"),
    [
        (ASKED, '{"team":"shop","incident":"INC-4827"}', PageRecord(team="shop", incident="INC-4827")),
        (ASKED, '{"team":"shop"}', PageRecord(team="shop")),
        (ASKED, '{"team":"shop","incident":4827}', PageRecord(team="shop", incident="4827")),
        (ASKED, '{"team":"shop","incident":null}', PageRecord(team="shop")),
        (ASKED, '{"ok":true}', PageRecord(team="checkout")),
        (ASKED, '"sent"', PageRecord(team="checkout")),
        (ASKED, "cut {", PageRecord(team="checkout")),
        ('{"team":"night"}', '{"incident":"INC-1"}', PageRecord(team="night", incident="INC-1")),
        ('{"service":"unknown"}', "{}", None),
        ("[]", "[]", None),
    ],
)
def test_a_page_is_read_from_the_result_or_the_arguments(arguments: str, result: str, page: PageRecord | None) -> None:
    assert sent_page(arguments, ToolResult(content=result), build_settings()) == page


@pytest.mark.parametrize("status", ["error", "rejected"])
def test_a_failed_call_has_sent_no_page(status: str) -> None:
    result = ToolResult.model_validate({"status": status, "content": '{"team":"shop"}'})
    assert sent_page(ASKED, result, build_settings()) is None
