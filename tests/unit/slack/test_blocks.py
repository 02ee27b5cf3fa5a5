"""Slack messages fit the limits and contain no active text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.contracts import CallRecord, ChannelUpdate, Report, ReportDelivery
from watchkeeper.demo.slack_block_rules import MAX_TEXT, find_faults
from watchkeeper.demo.slack_state import texts
from watchkeeper.slack.blocks import as_mrkdwn, escaped, fitting
from watchkeeper.slack.report_thread import report_replies
from watchkeeper.slack.status_message import status_blocks, status_headline

PART_OF_AN_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")

words = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&!@#*\n😀`")) | st.builds(
    lambda text, times: text * times, st.sampled_from(["<!channel> ", "😀&", "# *\n", "**a** "]), st.integers(0, 900)
)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@given(words, st.integers(60, 400))
def test_escaped_text_fits_and_has_no_partial_entity(text: str, room: int) -> None:
    shown = escaped(text, room)
    assert units(shown) <= room
    assert not set(shown) & set("<>")
    assert not PART_OF_AN_ENTITY.search(shown)


def test_text_is_cut_only_if_it_does_not_fit() -> None:
    assert escaped("<" * 15, 60) == "&lt;" * 15
    assert escaped("<" * 16, 60) == "&lt;" * 5 + "… (+11 characters)"
    assert fitting("a&b", 5) == 1
    assert fitting("a&b", 7) == 3


def test_bold_text_and_headings_become_mrkdwn() -> None:
    assert as_mrkdwn("## What **v2** did\nIt **broke**: 2 ** 3 **") == "*What v2 did*\nIt *broke*: 2 ** 3 **"


@given(words, words, words, st.integers(0, 12))
def test_slack_accepts_every_status_message(title: str, said: str, arguments: str, calls: int) -> None:
    waiting = [CallRecord(key=f"r1.{n}", name="restart", arguments=arguments, status="waiting") for n in range(calls)]
    announcement = ChannelUpdate(
        run="run-1",
        workflow_id="alert-é",
        channel="C1",
        title=title,
        phase=said,
        status="running",
        service=said,
        severity=said,
        reason=said,
        summary=said,
        waiting=waiting,
        silence="https://am.example/" + "x" * 4_000,
    )
    blocks = [block.to_dict() for block in status_blocks(announcement, "https://ui.example/{run}")]
    assert find_faults(blocks) == []
    assert sum(map(units, texts(blocks))) <= MAX_TEXT
    assert not re.search("<[!@#]", status_headline(announcement) + "\n".join(texts(blocks)))


@given(words, words, st.integers(0, 2))
def test_slack_accepts_every_reply(summary: str, body: str, follow_up: int) -> None:
    delivery = ReportDelivery(
        destination="slack",
        run="run-1",
        workflow_id="alert-1",
        status="concluded",
        report=Report(summary=summary, body=body),
        follow_up=follow_up,
        question=summary,
    )
    for reply in report_replies(delivery, None):
        blocks = [block.to_dict() for block in reply]
        assert find_faults(blocks) == []
        assert sum(map(units, texts(blocks))) <= MAX_TEXT
        assert not re.search("<[!@#]", "\n".join(texts(blocks)))
