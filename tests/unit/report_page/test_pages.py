"""The page in both of its forms: the same, in the order in which people ask."""

from __future__ import annotations

import re
from html import unescape

import pytest
from markdown_it import MarkdownIt

from tests.support.report_page_data import CHAIN, RUDE, RUNS, add_round, after, close, hostile, long_run, made, recorded
from watchkeeper.contracts import LimitChanges, Report
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.event_table import MOST, timeline
from watchkeeper.report_page.html_page import html_page
from watchkeeper.report_page.markdown_page import markdown_page
from watchkeeper.run_view.entries import Approval, FollowUp, PersonAction


def said(page: str) -> str:
    """What an HTML page says, in one line."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)).split())


def both(account: Account, link: str | None = None) -> tuple[str, str]:
    return said(html_page(account, link)), markdown_page(account, link).replace("\\", "")


@pytest.mark.parametrize("name", RUNS)
async def test_every_recorded_run_is_told_whole(name: str) -> None:
    account = await recorded(name)
    story = account.story
    assert story.report is not None
    for page in both(account):
        assert story.workflow_id in page
        assert all(f"{call.key} {call.name}" in page for call in story.calls.values())
        assert f"{story.usage.prompt_tokens:,}" in page
        for fact in ("Report", "Timeline", "Cost", "Limits", "About this run"):
            assert fact in page


def test_a_page_begins_with_what_happened_and_how_it_ended() -> None:
    account = made("Checkout fails.\nMany orders.", service="checkout", severity="critical")
    add_round(account, 0, 2, ("search_logs", "ok", 0.3))
    add_round(account, 3, 2)
    account.story.actions.append(PersonAction("extend", after(3), "ann", extended=LimitChanges(rounds=5, cost=0.5)))
    for page in both(close(account, 65), "https://ui.example/r?a=1&b=2"):
        told = ["Checkout fails.", "Concluded", "after 1 min 05 s", "checkout", "critical", "2026-11-25 03:12:00 UTC"]
        told += ["2 rounds, 1 call", "$0.0040", "Report", "Timeline", "What people did"]
        places = [page.index(text) for text in told]
        assert places == sorted(places)
        assert "extends the limits by 5 rounds, $0.5 cost" in page
        assert "1,000 | 900" in page or "1,000 900" in page
    assert 'href="https://ui.example/r?a=1&amp;b=2"' in html_page(account, "https://ui.example/r?a=1&b=2")


def test_a_run_that_goes_on_is_told_up_to_now() -> None:
    account = made()
    add_round(account, 0, 2, ("search_logs", "running", 0))
    call = account.story.calls["r1.0"]
    call.ended_at = call.result = None
    for page in both(account):
        assert "Running" in page
        assert "The run goes on: this page tells it up to 2026-11-25 03:12:02 UTC." in page
        assert "There is none yet." in page


def test_a_run_that_waits_for_a_person_says_how_to_answer() -> None:
    account = made()
    add_round(account, 1, 2, ("page_engineer", "waiting", 0))
    account.story.calls["r1.0"].approval = Approval("waiting", after(900))
    for page in both(account):
        assert "To answer: watchkeeper approve incident-1 r1.0, or watchkeeper deny incident-1 r1.0" in page
    account.story.calls["r1.0"].status = "expired"
    assert all("To answer" not in page for page in both(account))


def test_what_took_more_than_one_attempt_says_so() -> None:
    account = made()
    add_round(account, 1, 48.6, ("look", "ok", 0.5))
    account.story.rounds[0].attempts, account.story.rounds[0].last_failure = 2, "its worker fell silent"
    account.story.calls["r1.0"].attempts = 3
    for page in both(account):
        assert "the model asks for 1 call (48.6 s, 2 attempts: its worker fell silent)" in page
        assert "r1.0 look service=checkout: ok (500 ms, 3 attempts)" in page


async def test_a_run_whose_beginning_the_server_forgot_says_so() -> None:
    whole, rest = await recorded(*CHAIN), await recorded(*CHAIN[1:])
    forgot = "no longer has the first part"
    assert not any(forgot in page for page in both(whole))
    assert all(forgot in page for page in both(rest))
    assert rest.story.usage.tokens == whole.story.usage.tokens
    assert all("in earlier executions" in page for page in both(rest))


async def test_questions_after_the_report_have_their_answers() -> None:
    account = await recorded("follow-up")
    (answered,) = account.story.follow_ups
    assert account.reported_at is not None and account.reported_at < answered.at
    for page in both(account):
        assert page.index("Report") < page.index("Follow-up 1") < page.index("Timeline")
        assert "1. follow-up" in page or "follow-up 1" in page


def test_a_result_is_shown_laid_out_and_says_what_is_missing() -> None:
    account = made()
    add_round(account, 0, 1, ("search_logs", "ok", 0.1))
    call = account.story.calls["r1.0"]
    call.result, call.cut = '{"lines":["' + "x" * 9_000 + '"]}', 700
    page, written = both(close(account, 2))
    for text in (page, written):
        assert "were cut before the model read it" in text
        assert "are left out here" in text
    assert "{\n  &quot;lines&quot;: [" in html_page(account, None)


def test_a_long_run_makes_no_endless_page() -> None:
    account = long_run(1_000, 21_600)
    assert len(html_page(account, None)) < 2_000_000
    table = timeline(account)
    assert len(table.rows) == MOST + 1
    assert "left out" in table.note
    assert html_page(account, None).count('<details class="group">') == 20


def test_words_with_marks_are_no_markdown() -> None:
    account = made("*Checkout* `fails` for __init__ of get_service_health <b>now</b>", service="a|b")
    add_round(account, 0, 1, ("t|`x`", "error", 0.1))
    page = MarkdownIt("commonmark").enable("table").render(markdown_page(close(account, 2), None))
    assert "<h1>*Checkout* `fails` for __init__ of get_service_health &lt;b&gt;now&lt;/b&gt;</h1>" in page
    assert "<td>t|`x`</td>" in page
    assert "get_service_health" in markdown_page(account, None).splitlines()[0]


def test_what_strangers_wrote_is_text() -> None:
    page = html_page(hostile(), None)
    for tag in ("script", "img", "iframe", "svg onload", "div style", "base", "link", "form", "object"):
        assert f"<{tag}" not in page
    assert not re.search(r"<[^>]*\s(on\w+|style|src)=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"http://outside.example/x.png", "mailto:a@b.example"}
    text = said(page)
    assert all(" ".join(rude.split()) in text for rude in RUDE if "\x1b" not in rude)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_the_page_asks_for_nothing_outside_itself() -> None:
    page = html_page(long_run(3, 9), None)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert unescape(policy[1]).startswith("default-src 'none'; style-src 'sha256-")
    assert "url(http" not in page and "@import" not in page and "<script" not in page


def test_an_answer_that_ends_the_page_early_does_not() -> None:
    account = close(long_run(2, 4), 5, "```\nunclosed <div>\n\n<!-- ")
    account.story.follow_ups.append(FollowUp(1, "Why?", "concluded", Report(summary="s", body="</main>"), after(6)))
    page = html_page(account, None)
    assert page.count("</main>") == 1
    assert "About this run" in markdown_page(account, None).rsplit("## ", 1)[1]
