"""The report as HTML and as Markdown: the same content in the same order."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest
from markdown_it import MarkdownIt

from tests.support.report_page_data import (
    CHAIN,
    HOSTILE_TEXTS,
    RUNS,
    add_round,
    after,
    conclude,
    hostile_run,
    long_run,
    new_run,
    recorded_run,
)
from watchkeeper.contracts import LimitChanges, Report
from watchkeeper.report_page.event_table import MAX_EVENTS, event_table
from watchkeeper.report_page.html_report import html_report
from watchkeeper.report_page.markdown_report import markdown_report
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.run_view.entries import Approval, FollowUp, PersonAction


def text_of(page: str) -> str:
    """Return the text of an HTML page in one line."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)).split())


def both_reports(data: ReportData, link: str | None = None) -> tuple[str, str]:
    return text_of(html_report(data, link)), markdown_report(data, link).replace("\\", "")


@pytest.mark.parametrize("name", RUNS)
async def test_a_report_of_a_recorded_run_is_complete(name: str) -> None:
    data = await recorded_run(name)
    run = data.run
    assert run.report is not None
    for page in both_reports(data):
        assert run.workflow_id in page
        assert all(f"{call.key} {call.name}" in page for call in run.calls.values())
        assert f"{run.usage.prompt_tokens:,}" in page
        for fact in ("Report", "Timeline", "Cost", "Limits", "About this run"):
            assert fact in page


def test_a_report_begins_with_title_status_and_facts() -> None:
    data = new_run("Checkout fails.\nMany orders.", service="checkout", severity="critical")
    add_round(data, 0, 2, ("search_logs", "ok", 0.3))
    add_round(data, 3, 2)
    data.run.actions.append(PersonAction("extend", after(3), "ann", extended=LimitChanges(rounds=5, cost=0.5)))
    for page in both_reports(conclude(data, 65), "https://ui.example/r?a=1&b=2"):
        expected = [
            "Checkout fails.",
            "Concluded",
            "after 1 min 05 s",
            "checkout",
            "critical",
            "2026-11-25 03:12:00 UTC",
        ]
        expected += ["2 rounds, 1 call", "$0.0040", "Report", "Timeline", "What people did"]
        places = [page.index(text) for text in expected]
        assert places == sorted(places)
        assert "extends the limits by 5 rounds, $0.5 cost" in page
        assert "1,000 | 900" in page or "1,000 900" in page
    assert 'href="https://ui.example/r?a=1&amp;b=2"' in html_report(data, "https://ui.example/r?a=1&b=2")


async def test_all_times_are_utc_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    data = await recorded_run("follow-up")
    expected = html_report(data, None), markdown_report(data, None)
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert (html_report(data, None), markdown_report(data, None)) == expected
    finally:
        monkeypatch.undo()
        time.tzset()
    times = set(re.findall(r"\b\d\d:\d\d\b(?=:\d\d|</)", expected[0].partition("<h2>Evidence")[0]))
    assert {time_of_day[:2] for time_of_day in times} == {"10"}


def test_a_report_of_a_running_run_says_so() -> None:
    data = new_run()
    add_round(data, 0, 2, ("search_logs", "running", 0))
    call = data.run.calls["r1.0"]
    call.ended_at = call.result = None
    for page in both_reports(data):
        assert "Running" in page
        assert "The run continues: this report covers it until 2026-11-25 03:12:02 UTC." in page
        assert "No report yet." in page


def test_an_open_approval_request_has_the_commands_to_answer_it() -> None:
    data = new_run()
    add_round(data, 1, 2, ("page_engineer", "waiting", 0))
    data.run.calls["r1.0"].approval = Approval("waiting", after(900))
    for page in both_reports(data):
        assert "To answer: watchkeeper approve incident-1 r1.0, or watchkeeper deny incident-1 r1.0" in page
    data.run.calls["r1.0"].status = "expired"
    assert all("To answer" not in page for page in both_reports(data))


def test_retried_calls_and_rounds_show_their_attempts() -> None:
    data = new_run()
    add_round(data, 1, 48.6, ("look", "ok", 0.5))
    data.run.rounds[0].attempts, data.run.rounds[0].last_failure = 2, "no heartbeat"
    data.run.calls["r1.0"].attempts = 3
    for page in both_reports(data):
        assert "the model asks for 1 call (48.6 s, 2 attempts: no heartbeat)" in page
        assert "r1.0 look service=checkout: ok (500 ms, 3 attempts)" in page


async def test_a_report_says_if_the_server_deleted_the_beginning_of_the_run() -> None:
    whole, rest = await recorded_run(*CHAIN), await recorded_run(*CHAIN[1:])
    deleted = "no longer has the first part"
    assert not any(deleted in page for page in both_reports(whole))
    assert all(deleted in page for page in both_reports(rest))
    assert rest.run.usage.tokens == whole.run.usage.tokens
    assert all("in earlier executions" in page for page in both_reports(rest))


async def test_follow_up_questions_have_their_answers() -> None:
    data = await recorded_run("follow-up")
    (follow_up,) = data.run.follow_ups
    assert data.reported_at is not None and data.reported_at < follow_up.at
    for page in both_reports(data):
        assert page.index("Report") < page.index("Follow-up 1") < page.index("Timeline")
        assert "1. follow-up" in page or "follow-up 1" in page


def test_a_cut_result_says_what_is_missing() -> None:
    data = new_run()
    add_round(data, 0, 1, ("search_logs", "ok", 0.1))
    call = data.run.calls["r1.0"]
    call.result, call.cut = '{"lines":["' + "x" * 9_000 + '"]}', 700
    for page in both_reports(conclude(data, 2)):
        assert "were cut before the model read it" in page
        assert "are left out here" in page
    assert "{\n  &#34;lines&#34;: [" in html_report(data, None)


def test_the_report_of_a_long_run_has_a_limited_size() -> None:
    data = long_run(1_000, 21_600)
    assert len(html_report(data, None)) < 2_000_000
    table = event_table(data)
    assert len(table.rows) == MAX_EVENTS + 1
    assert "left out" in table.note
    assert html_report(data, None).count('<details class="group">') == 20


def test_markdown_in_names_is_text() -> None:
    data = new_run("*Checkout* `fails` for __init__ of get_service_health <b>now</b>", service="a|b")
    add_round(data, 0, 1, ("t|`x`", "error", 0.1))
    page = MarkdownIt("commonmark").enable("table").render(markdown_report(conclude(data, 2), None))
    assert "<h1>*Checkout* `fails` for __init__ of get_service_health &lt;b&gt;now&lt;/b&gt;</h1>" in page
    assert "<td>t|`x`</td>" in page
    assert "get_service_health" in markdown_report(data, None).splitlines()[0]


def test_hostile_content_is_text() -> None:
    page = html_report(hostile_run(), None)
    for tag in ("script", "img", "iframe", "svg onload", "div style", "base", "link", "form", "object"):
        assert f"<{tag}" not in page
    assert not re.search(r"<[^>]*\s(on\w+|style|src)=", page)
    assert set(re.findall(r'href="([^"]*)"', page)) == {"http://outside.example/x.png", "mailto:a@b.example"}
    shown = text_of(page)
    assert all(" ".join(text.split()) in shown for text in HOSTILE_TEXTS if "\x1b" not in text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_the_html_report_loads_nothing() -> None:
    page = html_report(long_run(3, 9), None)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert unescape(policy[1]).startswith("default-src 'none'; style-src 'sha256-")
    assert "url(http" not in page and "@import" not in page and "<script" not in page


def test_markup_in_an_answer_cannot_end_the_page() -> None:
    data = conclude(long_run(2, 4), 5, "```\nunclosed <div>\n\n<!-- ")
    data.run.follow_ups.append(FollowUp(1, "Why?", "concluded", Report(summary="s", body="</main>"), after(6)))
    page = html_report(data, None)
    assert page.count("</main>") == 1
    assert "About this run" in markdown_report(data, None).rsplit("## ", 1)[1]
