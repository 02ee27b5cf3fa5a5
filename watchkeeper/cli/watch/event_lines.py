"""What comes to a run from outside while it goes on, in lines: people's acts and alerts."""

from __future__ import annotations

from rich.text import Text

from watchkeeper.cli.watch.layout import Page
from watchkeeper.console import one_line
from watchkeeper.run_view.action_text import deed
from watchkeeper.run_view.entries import Act, AlertsChanged
from watchkeeper.run_view.model import Story

_ALERTS = 10
"""How many alerts of one notification are shown."""


def write_act(page: Page, story: Story, act: Act) -> None:
    """Write what a person did to the run."""
    decided = story.calls.get(act.call or "")
    what = f"{act.by or 'somebody'} {deed(act, decided.name if decided else '')}"
    page.line(Text.assemble("  ", ("→", "magenta"), f" {one_line(what, page.width - 4)}"))


def write_alerts(page: Page, told: AlertsChanged) -> None:
    """Write which alerts fire or are over, as a sender told at once."""
    for alert in told.alerts[:_ALERTS]:
        mark, style = ("!", "bold red") if alert.status == "firing" else ("✓", "green")
        bad = f" ({alert.severity})" if alert.severity else ""
        said = one_line(f"{alert.status}{bad}: {alert.title}", page.width - 4)
        page.line(Text.assemble("  ", (mark, style), f" {said}"))
    if len(told.alerts) > _ALERTS:
        page.line(Text(f"    and {len(told.alerts) - _ALERTS} more alerts", "dim"))
