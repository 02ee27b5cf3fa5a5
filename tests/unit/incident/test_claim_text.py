"""How a report with a verdict and unsupported claims is written in every view."""

from __future__ import annotations

import logging
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console
from slack_sdk.models.blocks import Block

from activities.destinations import directory, log, webhook
from tests.support.report_page_data import conclude, new_run
from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.cli.watch.summary import write_follow_up, write_report
from watchkeeper.contracts import ChannelUpdate, Claim, ClaimKind, Report, ReportDelivery, Verdict
from watchkeeper.demo.slack_state import texts
from watchkeeper.incident.claim_marks import mark
from watchkeeper.incident.claim_text import LISTED, NAMED, unsupported_line, unsupported_list
from watchkeeper.incident.status_text import StatusFacts, current_details, status_memo
from watchkeeper.report_page.html_report import html_report
from watchkeeper.report_page.markdown_report import markdown_report
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.run_view.entries import FollowUp
from watchkeeper.run_view.json_view import run_json
from watchkeeper.slack.report_thread import report_replies
from watchkeeper.slack.status_message import status_blocks

CLAIMS = [
    Claim(text="73.4 %", kind="figure", why="no result has it"),
    Claim(text="INC-90210", kind="incident", why="no call opened it"),
]
BODY = mark("**Cause:** errors rose to 73.4 % after the deploy; INC-90210 is open.", CLAIMS)
REPORT = Report(summary=mark("Errors rose to 73.4 %.", CLAIMS), body=BODY, verdict="diagnosed", unsupported=CLAIMS)
HONEST = Report(summary="Errors rose.", body="Errors rose.", verdict="diagnosed")
COUNT = "2 statements of this report are not supported by what was read"
LINE = f"{COUNT}: 73.4 %, INC-90210"


def reported(report: Report) -> ReportData:
    data = conclude(new_run(), 60)
    data.run.report = report
    return data


def delivery(report: Report, **fields: object) -> ReportDelivery:
    made = ReportDelivery(destination="log", run="r", workflow_id="incident-1", status="concluded", report=report)
    return made.model_copy(update=fields)


def block_text(blocks: list[Block]) -> str:
    return "\n".join(texts([block.to_dict() for block in blocks]))


def terminal(report: Report) -> str:
    console = Console(file=StringIO(), width=200)
    write_report(LineWriter(console), reported(report).run)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def facts(report: Report) -> StatusFacts:
    return StatusFacts("incident-1", "over", status="concluded", report=report)


def test_the_terminal() -> None:
    assert terminal(REPORT).splitlines()[1:7] == [
        "**Cause:** errors rose to 73.4 % [unsupported] after the deploy; INC-90210 [unsupported] is open.",
        "",
        "concluded: diagnosed",
        f"{COUNT}:",
        "  ? 73.4 %: no result has it",
        "  ? INC-90210: no call opened it",
    ]


def test_the_answer_to_a_follow_up_in_the_terminal() -> None:
    console, data = Console(file=StringIO(), width=200), reported(HONEST)
    follow_up = FollowUp(1, "And now?", "concluded", REPORT, data.as_of)
    write_follow_up(LineWriter(console), data.run, follow_up)
    assert isinstance(console.file, StringIO)
    assert f"{COUNT}:\n  ? 73.4 %: no result has it\n" in console.file.getvalue()


def test_the_markdown_report() -> None:
    page = markdown_report(reported(REPORT), None)
    assert "**Concluded: diagnosed** after 1 min 00 s" in page
    assert (
        f"## Report\n\n**{COUNT}:**\n\n- 73.4 %: no result has it\n- INC-90210: no call opened it\n\n"
        "> **Cause:** errors rose to 73.4 % [unsupported] after the deploy; INC-90210 [unsupported] is open.\n"
    ) in page


def test_the_html_report() -> None:
    page = html_report(reported(REPORT), None)
    marked = "<mark>unsupported</mark>"
    assert '<span class="pill concluded">Concluded: diagnosed</span>' in page
    assert f'<p class="lede" dir="auto">Errors rose to 73.4 % {marked}.</p>' in page
    assert f"errors rose to 73.4 % {marked} after the deploy; INC-90210 {marked} is open." in page
    assert f'<div class="unsupported" role="note">\n<p><b>{COUNT}.</b>' in page
    assert '<dt dir="auto">INC-90210</dt><dd dir="auto">no call opened it</dd>' in page


@pytest.mark.parametrize(
    "attack",
    [
        "\n\n[unsupported]: https://outside.example",
        "\n\n[unsupported]: <javascript:x> 'title'",
        " `an open code span",
        "\n\n```\nan open fence",
        "\n\n| 73.4 % | b |\n|---|---|\n| 73.4 % | INC-90210 |",
    ],
)
def test_no_text_of_the_model_hides_a_mark_in_the_html_report(attack: str) -> None:
    body = mark(f"A ` before.\n\nErrors rose to 73.4 %.{attack}", CLAIMS)
    page = html_report(reported(REPORT.model_copy(update={"body": body, "summary": "s"})), None)
    assert "Errors rose to 73.4 % <mark>unsupported</mark>." in page
    assert ">unsupported</a>" not in page


def test_a_report_without_claims_quotes_the_mark_as_text() -> None:
    quoting = HONEST.model_copy(update={"body": "The log says [unsupported] protocol."})
    page = html_report(reported(quoting), None)
    assert "The log says [unsupported] protocol." in page and "<mark>" not in page


def test_the_report_in_slack() -> None:
    ((*blocks,),) = report_replies(delivery(REPORT), None)
    assert block_text(blocks).splitlines() == [
        "Errors rose to 73.4 % [unsupported].",
        "Report of a run · concluded: diagnosed",
        f"*Check first:* {LINE}",
        "*Cause:* errors rose to 73.4 % [unsupported] after the deploy; INC-90210 [unsupported] is open.",
    ]
    ((*blocks,),) = report_replies(delivery(REPORT, follow_up=1, question="And now?"), None)
    assert f"*Asked:* And now?\n*Check first:* {LINE}" in block_text(blocks)


def test_the_status_message_in_slack() -> None:
    update = ChannelUpdate(
        run="r",
        workflow_id="incident-1",
        channel="C1",
        title="Checkout fails.",
        phase="open for follow-ups",
        status="concluded",
        summary="Errors rose.",
        verdict="diagnosed",
        unsupported=CLAIMS,
    )
    shown = block_text(status_blocks(update, None))
    assert "*Status*\nconcluded: diagnosed, open for follow-ups" in shown
    assert f"Errors rose.\n*Check first:* {LINE}" in shown


def test_the_temporal_ui() -> None:
    details = current_details(facts(REPORT)).splitlines()
    assert details[0] == "**concluded: diagnosed, over**"
    at = details.index(f"**{COUNT}:**")
    assert details[at : at + 4] == [f"**{COUNT}:**", "", "- 73.4 %: no result has it", "- INC-90210: no call opened it"]
    memo = status_memo(facts(REPORT))
    assert (memo.doing, memo.unsupported) == ("concluded: diagnosed, over", LINE)


def test_json_for_scripts() -> None:
    shown = run_json(reported(REPORT).run)
    assert (shown["status"], shown["report"]["verdict"]) == ("concluded", "diagnosed")
    assert shown["report"]["unsupported"][0] == {
        "text": "73.4 %",
        "kind": "figure",
        "why": "no result has it",
        "occurrences": [],
    }
    posted = webhook.PostedReport.model_validate_json(webhook.report_body(delivery(REPORT)))
    assert posted.report == REPORT


def test_the_file_of_a_report(tmp_path: Path) -> None:
    directory.write_report(delivery(REPORT), tmp_path)
    assert (tmp_path / "incident-1.md").read_text() == (
        "# Errors rose to 73.4 % [unsupported].\n\n- Run: incident-1\n- Status: concluded\n- Verdict: diagnosed\n\n"
        f"**{COUNT}:**\n\n- 73.4 %: no result has it\n- INC-90210: no call opened it\n\n{BODY}\n"
    )


def test_the_log_of_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="temporalio.activity"):
        log.log_report(delivery(REPORT))
    (line,) = caplog.messages
    assert line.startswith(f"report of incident-1 (concluded: diagnosed): {REPORT.summary} ({LINE})")


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_an_honest_report_has_its_verdict_and_nothing_to_check(verdict: Verdict) -> None:
    honest = HONEST.model_copy(update={"verdict": verdict})
    data, made = reported(honest), delivery(honest)
    views = [
        terminal(honest),
        markdown_report(data, None),
        html_report(data, None).partition("<body>")[2],
        "\n".join(map(block_text, report_replies(made, None))),
        current_details(facts(honest)),
        status_memo(facts(honest)).model_dump_json(exclude_unset=True),
    ]
    for view in views:
        assert f"oncluded: {verdict}" in view
        assert "not supported" not in view and "unsupported" not in view


@pytest.mark.parametrize("number", [0, 1, 2, NAMED, NAMED + 1, LISTED, LISTED + 3])
def test_claims_are_counted_and_the_first_ones_are_named(number: int) -> None:
    kinds = get_args(ClaimKind)
    claims = [Claim(text=f"claim {n}", kind=kinds[n % len(kinds)], why="w" * 900) for n in range(number)]
    line, listed = unsupported_line(claims), unsupported_list(claims)
    named = [f"claim {n}" for n in range(min(number, NAMED))]
    assert line.partition(": ")[2].split(", ")[: len(named)] == named if number else line == ""
    assert line.endswith(f", {number - NAMED} more") == (number > NAMED)
    assert line.startswith("1 statement of this report is" if number == 1 else f"{number} statements" * (number > 1))
    assert [text for text, _ in listed[:LISTED]] == [claim.text for claim in claims[:LISTED]]
    assert (listed[-1][0] == f"and {number - LISTED} more") if number > LISTED else len(listed) == number
    assert all(len(why) <= 200 for _, why in listed)


HOSTILE = "\x1b[2J\n# x\n<script>alert(1)</script> **b** [x](javascript:1) <!channel> " + "漢" * 5_000


def test_hostile_claims_are_text_everywhere() -> None:
    hostile = REPORT.model_copy(update={"unsupported": [Claim(text=HOSTILE, kind="quote", why=HOSTILE)] * 30})
    data = reported(hostile)
    page, markdown = html_report(data, None), markdown_report(data, None)
    assert "<script>" not in page and "<script>" not in markdown.replace("\\<script", "")
    assert "\x1b" not in page + markdown + terminal(hostile) + current_details(facts(hostile))
    assert "[x](javascript" not in markdown
    assert "<!channel>" not in "\n".join(map(block_text, report_replies(delivery(hostile), None)))
    assert len(status_memo(facts(hostile)).model_dump_json(exclude_unset=True).encode()) < 2_048
    assert len(current_details(facts(hostile)).encode()) < 20_000
