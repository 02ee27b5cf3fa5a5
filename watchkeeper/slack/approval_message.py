"""The messages that ask people to decide about a call, remind them, and report that no one decided (pure)."""

from __future__ import annotations

from slack_sdk.models.blocks import Block

from watchkeeper.contracts import ApprovalNotice
from watchkeeper.incident.phrases import approve_command, deny_command
from watchkeeper.incident.run_address import run_address
from watchkeeper.slack.blocks import (
    button,
    buttons,
    context,
    escaped,
    escaped_line,
    facts,
    is_url,
    plain_section,
    section,
)
from watchkeeper.slack.status_message import decision_buttons
from watchkeeper.text import json_summary, utc

_TITLE = 200
_NAME = 100
_ARGUMENTS = 150
_COMMAND = 400
_NOTE = 600
"""Most characters of each in a message."""

_EVERYONE = ("channel", "here")


def mention(setting: str) -> str:
    """Return the mention of ``slack.mention`` as Slack writes it, with a space after it; empty for none."""
    if setting in _EVERYONE:
        return f"<!{setting}> "
    return "" if setting == "none" else f"<!subteam^{setting}> "


def local_time(seconds: float) -> str:
    """Write a time, given in Unix seconds, so that each reader sees it in their time zone."""
    return f"<!date^{int(seconds)}^{{date_short_pretty}} at {{time}}|{utc(seconds)}>"


def notification_text(notice: ApprovalNotice, mentioned: str, *, has_buttons: bool) -> str:
    """Return the text of the notification: what waits, until when, and how to answer. ``mentioned`` comes first."""
    title = escaped_line(notice.title, _TITLE)
    if notice.event == "expired":
        return f"{mentioned}No one decided in time: {_call(notice)} was not run. {_NEXT} {title}"
    still = "still waits" if notice.event == "reminder" else "waits"
    by_button = "Press Approve or Deny, or run" if has_buttons else "To answer, run"
    command = escaped_line(approve_command(notice.workflow_id, notice.call.key), _COMMAND)
    return f"{mentioned}{_call(notice)} {still} for approval{_until(notice)}. {by_button} {command} ({title})"


def request_blocks(notice: ApprovalNotice, mentioned: str, run_url: str | None, *, has_buttons: bool) -> list[Block]:
    """Return the blocks of a request or a reminder."""
    call, name = notice.call, escaped_line(notice.call.name, _NAME)
    still = "*still waits*" if notice.event == "reminder" else "waits"
    approve, deny = (
        escaped_line(command(notice.workflow_id, call.key), _COMMAND) for command in (approve_command, deny_command)
    )
    blocks: list[Block] = [
        section(f"{mentioned}*{name}* {still} for approval{_until(notice)}. If no one decides, it is not run."),
        plain_section(f"{call.name} ({call.key})\n{call.arguments}\n{call.finding}".strip()),
    ]
    if has_buttons:
        blocks.append(decision_buttons(notice.workflow_id, notice.run, call.key))
    blocks.append(context(f"{'Or run' if has_buttons else 'To answer, run'} `{approve}` or `{deny}`"))
    return [*blocks, *_about(notice, run_url)]


def expiry_blocks(notice: ApprovalNotice, mentioned: str, run_url: str | None) -> list[Block]:
    """Return the blocks of the message that no one decided."""
    outcome = section(f"{mentioned}*No one decided in time:* {_call(notice)} was not run. {_NEXT}")
    return [outcome, *_about(notice, run_url)]


def outcome_text(notice: ApprovalNotice) -> str:
    """Say what happened to a call that no longer waits, escaped."""
    by = escaped_line(notice.by, _NAME) or "a person"
    note = f": {escaped_line(notice.note, _NOTE)}" if notice.note else ""
    outcomes = {
        "approved": f"approved by {by}{note}",
        "denied": f"denied by {by}{note}",
        "expired": "not run, because no one decided in time",
        "ended": "not run, because the investigation ended first",
    }
    return f"{_call(notice)}: {outcomes[notice.event]}"


def outcome_blocks(notice: ApprovalNotice) -> list[Block]:
    """Return the blocks that replace a request, so that it has no buttons any longer."""
    return [section(outcome_text(notice)), context(f"Run `{escaped_line(notice.workflow_id, 300)}`")]


_NEXT = "The agent reads this and continues without it."


def _call(notice: ApprovalNotice) -> str:
    arguments = escaped_line(json_summary(notice.call.arguments), _ARGUMENTS)
    name = escaped_line(notice.call.name, _NAME)
    return f"{name} ({arguments})" if arguments.strip() else name


def _until(notice: ApprovalNotice) -> str:
    return f" until {local_time(notice.call.deadline)}" if notice.call.deadline is not None else ""


def _about(notice: ApprovalNotice, run_url: str | None) -> list[Block]:
    """Say which run it is about."""
    about: list[Block] = [facts({"Run": notice.title, "Service": notice.service, "Severity": notice.severity})]
    if (url := run_address(run_url, notice.workflow_id, notice.run)) is not None and is_url(url):
        about.append(buttons("links", button("open-Open the run", "Open the run", url=url)))
    return [*about, context(f"Run `{escaped(notice.workflow_id, 300)}`, call {notice.call.key}")]
