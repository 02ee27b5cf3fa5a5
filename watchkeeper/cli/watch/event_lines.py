"""The lines for people's actions and for alert changes."""

from __future__ import annotations

from rich.text import Text

from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.run_view.entries import AlertsChanged, PersonAction
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.run_phrases import action_phrase, person
from watchkeeper.text import one_line

_MAX_ALERTS = 10
"""Alerts of one notification that are shown."""


def write_action(writer: LineWriter, view: RunView, action: PersonAction) -> None:
    """Write what a person did to the run."""
    call = view.calls.get(action.call or "")
    text = f"{person(action)} {action_phrase(action, call.name if call else '')}"
    writer.line(Text.assemble("  ", ("→", "magenta"), f" {one_line(text, writer.width - 4)}"))


def write_alerts(writer: LineWriter, change: AlertsChanged) -> None:
    """Write which alerts fired or were resolved."""
    for alert in change.alerts[:_MAX_ALERTS]:
        mark, style = ("!", "bold red") if alert.status == "firing" else ("✓", "green")
        severity = f" ({alert.severity})" if alert.severity else ""
        text = one_line(f"{alert.status}{severity}: {alert.title}", writer.width - 4)
        writer.line(Text.assemble("  ", (mark, style), f" {text}"))
    if len(change.alerts) > _MAX_ALERTS:
        writer.line(Text(f"    and {len(change.alerts) - _MAX_ALERTS} more alerts", "dim"))
