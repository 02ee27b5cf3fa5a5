"""Alerts as text: as data for the model, and as lines of a report for people (pure).

The text for the model is part of a conversation that may continue after a deploy. Changing it needs
``workflow.patched``.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import Alert, AlertState
from watchkeeper.incident.phrases import fired_again
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import cap, count, excerpt, utc

WHOLE = 8
"""Alerts that the model gets with description, links and labels; of the others it gets one line of facts."""

LISTED = 40
WHOLE_BYTES = 4_000
DESCRIPTION_BYTES = 1_500
LABELS = 25
VALUE_BYTES = 200
TITLE_BYTES = 300


def for_model(alerts: Sequence[Alert], introduction: str, notes: Sequence[str] = ()) -> str:
    """Write alerts for the model: one JSON object a line, between tags that no value can close."""
    lines = [_line(alert, whole=number < WHOLE) for number, alert in enumerate(alerts[:LISTED])]
    if len(alerts) > LISTED:
        lines.append(canonical_json({"more_alerts_of_the_group": len(alerts) - LISTED}).decode())
    lines += [canonical_json({"note": excerpt(note, VALUE_BYTES)}).decode() for note in notes[:LISTED]]
    data = "\n".join(lines).replace("</", "<\\/")
    return f"{introduction.strip()}\n\n<alerts>\n{data}\n</alerts>"


def _line(alert: Alert, *, whole: bool) -> str:
    facts: dict[str, object] = {
        "status": alert.status,
        "title": excerpt(alert.title, TITLE_BYTES),
        "severity": alert.severity,
        "service": alert.service,
        "since": utc(alert.starts_at),
        "until": utc(alert.ends_at),
    }
    if whole:
        facts["description"] = excerpt(alert.description, DESCRIPTION_BYTES)
        facts["links"] = alert.links
        facts["labels"] = {name: excerpt(alert.labels[name], VALUE_BYTES) for name in list(alert.labels)[:LABELS]}
    line = canonical_json({name: fact for name, fact in facts.items() if fact}).decode()
    if whole and len(line.encode()) > WHOLE_BYTES:
        return _line(alert, whole=False)
    return line


def for_people(states: Sequence[AlertState], max_lines: int = 20) -> list[str]:
    """Write alerts for people: one line of Markdown each, firing alerts first."""
    ordered = sorted(states, key=lambda state: state.status != "firing")
    lines = [f"- {_state(state)}: {cap(state.title, TITLE_BYTES)[0]}" for state in ordered[:max_lines]]
    if more := ordered[max_lines:]:
        firing = sum(state.status == "firing" for state in more)
        lines.append(f"- and {len(more)} more" + (f", of which {firing} fire" if firing else ""))
    return lines


def older_end(alert: Alert) -> str:
    """Say that the end of an earlier firing of an alert was ignored."""
    at = f" of {utc(alert.ends_at)}" if alert.ends_at else ""
    return f"an end{at} belongs to an earlier firing, so it is ignored: {cap(alert.title, TITLE_BYTES)[0]} still fires"


def _state(state: AlertState) -> str:
    again = f", {fired_again(state.again)}" if state.again else ""
    if state.older_ends and state.status == "firing":
        again += f", {count(state.older_ends, 'end')} of earlier firings ignored"
    if state.status == "firing":
        return f"firing since {utc(state.starts_at)}{again}" if state.starts_at else f"firing{again}"
    return f"resolved at {utc(state.ends_at)}{again}" if state.ends_at else f"resolved{again}"
