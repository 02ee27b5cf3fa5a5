"""What comes to a run from outside while it goes on, in lines: people's acts and alerts."""

from __future__ import annotations

from rich.text import Text

from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.run_view.action_text import action_phrase
from watchkeeper.run_view.entries import AlertsChanged, PersonAction
from watchkeeper.run_view.model import RunView
from watchkeeper.text import one_line

_ALERTS = 10
"""How many alerts of one notification are shown."""


def write_act(page: LineWriter, view: RunView, act: PersonAction) -> None:
    """Write what a person did to the run."""
    decided = view.calls.get(act.call or "")
    what = f"{act.by or 'somebody'} {action_phrase(act, decided.name if decided else '')}"
    page.line(Text.assemble("  ", ("→", "magenta"), f" {one_line(what, page.width - 4)}"))


def write_alerts(page: LineWriter, told: AlertsChanged) -> None:
    """Write which alerts fire or are over, as a sender told at once."""
    for alert in told.alerts[:_ALERTS]:
        mark, style = ("!", "bold red") if alert.status == "firing" else ("✓", "green")
        bad = f" ({alert.severity})" if alert.severity else ""
        said = one_line(f"{alert.status}{bad}: {alert.title}", page.width - 4)
        page.line(Text.assemble("  ", (mark, style), f" {said}"))
    if len(told.alerts) > _ALERTS:
        page.line(Text(f"    and {len(told.alerts) - _ALERTS} more alerts", "dim"))
