"""The one message that tells how a run stands, and in which people decide (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from watchkeeper.alerts.plain_text import printable_line
from watchkeeper.contracts import AlertState, CallRecord, ChannelUpdate, JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.slack.blocks import (
    actions,
    as_mrkdwn,
    button,
    context,
    escaped,
    facts,
    header,
    is_address,
    literal,
    section,
)

APPROVE = "approve"
DENY = "deny"
"""What the buttons are called in the press that Slack tells of."""

CALLS = 10
"""Calls that the message lets people decide on; who has more to decide does it with the program."""

_CALLS_ROOM = 4_500
_ONE_CALL_ROOM = 2_800
_SUMMARY_ROOM = 1_200
_REASON_ROOM = 600
_HEADLINE_ROOM = 400


def status_headline(announcement: ChannelUpdate) -> str:
    """Write what stands in a notification on a phone, escaped."""
    return escaped(printable_line(f"{announcement.title}: {_standing(announcement)}"), _HEADLINE_ROOM)


def status_blocks(announcement: ChannelUpdate, run_url: str | None) -> list[JsonObject]:
    """Write the blocks of the message; ``run_url`` is the operator's, with its placeholders."""
    told = [header(announcement.title), facts(_facts(announcement))]
    if announcement.alerts:
        told.append(context(alerts_line(announcement.alerts)))
    if summary := escaped(as_mrkdwn(announcement.summary or ""), _SUMMARY_ROOM).strip():
        told.append(section(summary))
    if announcement.reason:
        told.append(section(f"*Why it ended:* {escaped(printable_line(announcement.reason), _REASON_ROOM)}"))
    told += _decisions(announcement)
    links = {"run": run_address(run_url, announcement.workflow_id, announcement.run), "silence": announcement.silence}
    labels = {"run": "Open the run", "silence": "Silence"}
    # A button that leads somewhere is pressed, too: its action says that nothing is to be done about it.
    buttons = [button(f"open-{name}", labels[name], url=url) for name, url in links.items() if url and is_address(url)]
    if buttons:
        told.append(actions("links", buttons))
    told.append(context(f"Run `{escaped(printable_line(announcement.workflow_id), 300)}`"))
    return told


def alerts_line(alerts: Sequence[AlertState]) -> str:
    """Count the alerts of a run: ``2 firing, 1 resolved, fired again 3 times``."""
    firing = sum(alert.status == "firing" for alert in alerts)
    again = sum(alert.again for alert in alerts)
    counts = [f"{firing} firing" if firing else "", f"{len(alerts) - firing} resolved" if firing < len(alerts) else ""]
    if again:
        counts.append("fired again once" if again == 1 else f"fired again {again} times")
    return ", ".join(count for count in counts if count)


def run_address(run_url: str | None, workflow_id: str, run: str) -> str | None:
    """Write the address at which people find a run."""
    if run_url is None:
        return None
    return run_url.replace("{run}", quote(workflow_id, safe="")).replace("{run_id}", quote(run, safe=""))


def _facts(announcement: ChannelUpdate) -> dict[str, str | None]:
    return {"Status": _standing(announcement), "Service": announcement.service, "Severity": announcement.severity}


def _standing(announcement: ChannelUpdate) -> str:
    status = announcement.status.replace("_", " ")
    return f"{status}, {announcement.phase}" if announcement.phase not in ("", status) else status


def _decisions(announcement: ChannelUpdate) -> list[JsonObject]:
    """Let people decide on each call that waits, having read what it would do."""
    calls = announcement.waiting[:CALLS]
    told: list[JsonObject] = []
    for call in calls:
        told += _decision(announcement, call, min(_ONE_CALL_ROOM, _CALLS_ROOM // len(calls)))
    if more := len(announcement.waiting) - len(calls):
        told.append(section(f"{more} more wait for a decision: `watchkeeper show`, then `watchkeeper approve`."))
    return told


def _decision(announcement: ChannelUpdate, call: CallRecord, room: int) -> list[JsonObject]:
    # The run is named with its execution: of another one, a call may have the same key.
    pressed = {"run": announcement.workflow_id, "call": call.key, "execution": announcement.run}
    value = canonical_json(pressed).decode()
    buttons = [
        button(APPROVE, "Approve", value=value, style="primary"),
        button(DENY, "Deny", value=value, style="danger"),
    ]
    asks = f"{call.name} waits for a decision ({call.key})\n{call.arguments}"
    return [literal(asks, room), actions(f"call-{call.key}", buttons)]
