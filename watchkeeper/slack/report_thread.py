"""A report as replies in a thread: whole, as far as a person would read it there (pure)."""

from __future__ import annotations

from watchkeeper.alerts.plain_text import printable_line
from watchkeeper.contracts import JsonObject, ReportDelivery
from watchkeeper.slack.blocks import as_mrkdwn, context, escaped, fitting, header, section
from watchkeeper.slack.status_message import run_address

PAGES = 6
"""Replies that one report takes at most: 45,000 characters."""

_PIECE = 2_500
_PIECES_A_PAGE = 3
_QUESTION_ROOM = 600


def report_replies(delivery: ReportDelivery, run_url: str | None) -> list[list[JsonObject]]:
    """Write the replies of a report, or of the answer to a follow-up, in order: the blocks of each."""
    pieces, cut = _pieces(as_mrkdwn(delivery.report.body), PAGES * _PIECES_A_PAGE)
    grouped = [pieces[at : at + _PIECES_A_PAGE] for at in range(0, len(pieces), _PIECES_A_PAGE)] or [[]]
    written = [[section(piece) for piece in page] for page in grouped]
    written[0] = [*_beginning(delivery), *written[0]]
    if cut:
        place = run_address(run_url, delivery.workflow_id, delivery.run) or f"watchkeeper show {delivery.workflow_id}"
        written[-1].append(context(f"{cut} characters are left out here; the whole report: {escaped(place, 1_000)}"))
    return written


def notification_text(delivery: ReportDelivery) -> str:
    """Write what stands in a notification on a phone, escaped."""
    return escaped(printable_line(delivery.report.summary), 400) or delivery.part


def _beginning(delivery: ReportDelivery) -> list[JsonObject]:
    standing = delivery.status.replace("_", " ")
    if not delivery.follow_up:
        return [header(delivery.report.summary), context(f"Report of a run: {standing}")]
    question = escaped(printable_line(delivery.question), _QUESTION_ROOM) if delivery.question else ""
    asked = [section(f"*Asked:* {question}")] if delivery.question else []
    return [header(f"Follow-up {delivery.follow_up}: {delivery.report.summary}"), *asked]


def _pieces(text: str, most: int) -> tuple[list[str], int]:
    """Cut a text at the ends of its lines, where they are near; also return how many characters are left over."""
    pieces: list[str] = []
    text = text.strip()
    while text and len(pieces) < most:
        end = fitting(text, _PIECE)
        if end < len(text):
            near = text.rfind("\n", end // 2, end)
            end = near if near > 0 else end
        pieces.append(escaped(text[:end]))
        text = text[end:].strip()
    return pieces, len(text)
