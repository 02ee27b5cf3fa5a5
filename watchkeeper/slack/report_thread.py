"""A report as replies in a thread (pure)."""

from __future__ import annotations

from slack_sdk.models.blocks import Block

from watchkeeper.contracts import ReportDelivery
from watchkeeper.incident.claim_text import unsupported_line
from watchkeeper.incident.phrases import status_phrase
from watchkeeper.incident.run_address import run_address
from watchkeeper.slack.blocks import as_mrkdwn, context, escaped, escaped_line, fitting, header, section
from watchkeeper.slack.status_message import MAX_CLAIMS_LINE

MAX_REPLIES = 6
"""Replies of one report: 45,000 characters."""

_PIECE = 2_500
_PIECES_IN_REPLY = 3
_QUESTION = 600


def report_replies(delivery: ReportDelivery, run_url: str | None) -> list[list[Block]]:
    """Return the blocks of each reply, in order, for a report or for the answer to a follow-up question."""
    pieces, cut = _pieces(as_mrkdwn(delivery.report.body), MAX_REPLIES * _PIECES_IN_REPLY)
    replies: list[list[Block]] = [
        [section(piece) for piece in pieces[at : at + _PIECES_IN_REPLY]]
        for at in range(0, len(pieces), _PIECES_IN_REPLY)
    ] or [[]]
    replies[0] = [*_heading(delivery), *replies[0]]
    if cut:
        place = run_address(run_url, delivery.workflow_id, delivery.run) or f"watchkeeper show {delivery.workflow_id}"
        replies[-1].append(context(f"{cut} characters are left out here; the whole report: {escaped(place, 1_000)}"))
    return replies


def notification_text(delivery: ReportDelivery) -> str:
    """Return the text of the notification, escaped."""
    return escaped_line(delivery.report.summary, 400) or delivery.part


def _heading(delivery: ReportDelivery) -> list[Block]:
    report = delivery.report
    line = escaped_line(unsupported_line(report.unsupported), MAX_CLAIMS_LINE)
    check = [context(f"*Check first:* {line}")] if line else []
    if not delivery.follow_up:
        status = status_phrase(delivery.status, report.verdict)
        return [header(report.summary), context(f"Report of a run · {status}"), *check]
    title = header(f"Follow-up {delivery.follow_up}: {report.summary}")
    question = escaped_line(delivery.question or "", _QUESTION)
    return [title, section(f"*Asked:* {question}"), *check] if question else [title, *check]


def _pieces(text: str, max_pieces: int) -> tuple[list[str], int]:
    """Cut a text into pieces, at line ends if one is near. Also return how many characters are left over."""
    pieces: list[str] = []
    text = text.strip()
    while text and len(pieces) < max_pieces:
        end = fitting(text, _PIECE)
        if end < len(text):
            line_end = text.rfind("\n", end // 2, end)
            end = line_end if line_end > 0 else end
        pieces.append(escaped(text[:end]))
        text = text[end:].strip()
    return pieces, len(text)
