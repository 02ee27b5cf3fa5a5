"""What heads every page: what the run is about, how it ended, the facts (pure).

In plain text, which each page escapes in its own way. Times are UTC: a page is read wherever it is sent.
"""

from __future__ import annotations

from datetime import datetime

from watchkeeper.console import count, duration, one_line, visible
from watchkeeper.contracts import RunStatus
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.tables import moment, money
from watchkeeper.run_view.model import RunView

STANDING: dict[RunStatus, str] = {
    "running": "Running",
    "concluded": "Concluded",
    "limit_reached": "A limit ended it",
    "failed": "Failed",
    "stopped": "Stopped",
}


def title(story: RunView) -> str:
    """Name what the run is about: the first line of what fired or was asked."""
    lines = story.run_input.text.strip().splitlines() if story.run_input else []
    return one_line(lines[0], 160) if lines else story.workflow_id


def standing(account: Account) -> str:
    """Say how the run ended, or what it does, as it follows the word of ``STANDING``."""
    story = account.story
    took = duration((account.until - (story.started_at or account.until)).total_seconds())
    if story.status == "running":
        return f"for {took}: {visible(story.current_step)}"
    if story.is_open:
        return f"and stays open until its alerts resolve: {visible(story.current_step)}"
    why = one_line(story.reason or "", 600).rstrip(".")
    return f"after {took}{f': {why}' if why else ''}"


def facts(account: Account) -> list[tuple[str, str]]:
    """Return the facts that head a page."""
    story = account.story
    given, usage, origin = story.run_input, story.usage, story.run_input.origin if story.run_input else None
    took = duration((account.until - (story.started_at or account.until)).total_seconds())
    found = [
        ("Service", given.service if given else None),
        ("Severity", given.severity if given else None),
        ("Team", origin.team if origin else None),
        ("From", f"{origin.source} ({origin.kind})" if origin else None),
        ("Started", moment(story.started_at)),
        ("Ended" if story.closed_at else "Up to", moment(account.until)),
        ("Took", took if story.closed_at else f"{took} so far"),
        (
            "Reported",
            _after(story.started_at, account.reported_at) if not story.closed_at or story.stays_open else None,
        ),
        ("Work", f"{count(story.rounds_completed, 'round')}, {count(len(story.calls), 'call')}"),
        ("Tokens", f"{'about ' if usage.estimated else ''}{usage.tokens:,}"),
        ("Cost", money(usage.cost)),
    ]
    return [(name, one_line(fact, 160)) for name, fact in found if fact]


def notes(account: Account) -> list[str]:
    """Say what a reader must know of the page itself."""
    story, said = account.story, list[str]()
    if story.closed_at is None:
        what = "The run stays open" if story.is_open else "The run goes on"
        said.append(f"{what}: this page tells it up to {moment(account.at)}.")
    if account.partial:
        said.append(
            "The server no longer has the first part of this run's history. Its rounds are counted, and its calls "
            "stand here with the beginning of what they found, without their times."
        )
    if account.replaced:
        said.append(f"{count(account.replaced, 'older message')} gave way to summaries, for the model's window.")
    return said


def _after(begin: datetime | None, end: datetime | None) -> str | None:
    return f"after {duration((end - begin).total_seconds())}" if begin and end else None
