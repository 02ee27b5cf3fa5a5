"""The message in which people follow a run and decide on its calls (pure)."""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock, Block

from watchkeeper.contracts import CallRecord, ChannelUpdate
from watchkeeper.incident.claim_text import unsupported_line
from watchkeeper.incident.phrases import alert_counts, service_phrase, status_with_step
from watchkeeper.incident.run_address import run_address
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.slack.blocks import (
    as_mrkdwn,
    button,
    buttons,
    context,
    escaped,
    escaped_line,
    facts,
    header,
    is_url,
    plain_section,
    section,
)

APPROVE = "approve"
DENY = "deny"
"""Action ids of the buttons."""

MAX_DECISIONS = 10
"""Calls with buttons in the message. The others are decided with the command line."""

# Slack documents no limit for all blocks of a message together. It refused 45 blocks with 11,300 characters and took
# 50 blocks with 9,600. These limits keep a message below 8,000 characters.
_ALL_CALLS = 4_500
_ONE_CALL = 2_800
_SUMMARY = 1_200
MAX_CLAIMS_LINE = 700
_REASON = 600
_HEADLINE = 400


def status_headline(update: ChannelUpdate) -> str:
    """Return the text of the notification, escaped."""
    return escaped_line(f"{update.title}: {_status(update)}", _HEADLINE)


def status_blocks(update: ChannelUpdate, run_url: str | None) -> list[Block]:
    """Return the blocks of the message. ``run_url`` is the operator's setting, with its placeholders."""
    service = service_phrase(update.service, update.unknown_service)
    values = {"Status": _status(update), "Service": service, "Severity": update.severity}
    blocks: list[Block] = [header(update.title), facts(values)]
    if update.alerts:
        blocks.append(context(alert_counts(update.alerts)))
    if summary := escaped(as_mrkdwn(update.summary or ""), _SUMMARY).strip():
        blocks.append(section(summary))
    if line := unsupported_line(update.unsupported):
        blocks.append(context(f"*Check first:* {escaped_line(line, MAX_CLAIMS_LINE)}"))
    if update.reason:
        blocks.append(section(f"*Why it ended:* {escaped_line(update.reason, _REASON)}"))
    blocks += _decisions(update)
    urls = {"Open the run": run_address(run_url, update.workflow_id, update.run), "Silence": update.silence}
    # Slack reports a press on a link button too. Its action id is neither of the two above, so it is ignored.
    links = [button(f"open-{label}", label, url=url) for label, url in urls.items() if url and is_url(url)]
    if links:
        blocks.append(buttons("links", *links))
    blocks.append(context(f"Run `{escaped_line(update.workflow_id, 300)}`"))
    return blocks


def decision_buttons(workflow_id: str, run: str, call: str) -> ActionsBlock:
    """Return the buttons that decide about a call of a run; ``run`` is its first execution run id."""
    # The first execution run id is needed: another run with this workflow id may have a call with the same key.
    value = canonical_json({"run": workflow_id, "call": call, "execution": run}).decode()
    approve = button(APPROVE, "Approve", value=value, style="primary")
    deny = button(DENY, "Deny", value=value, style="danger")
    return buttons(f"call-{call}", approve, deny)


def _status(update: ChannelUpdate) -> str:
    return status_with_step(update.status, update.phase, update.verdict)


def _decisions(update: ChannelUpdate) -> list[Block]:
    calls = update.waiting[:MAX_DECISIONS]
    blocks: list[Block] = []
    for call in calls:
        blocks += _decision(update, call, min(_ONE_CALL, _ALL_CALLS // len(calls)))
    if more := len(update.waiting) - len(calls):
        blocks.append(section(f"{more} more wait for a decision: `watchkeeper show`, then `watchkeeper approve`."))
    return blocks


def _decision(update: ChannelUpdate, call: CallRecord, max_length: int) -> list[Block]:
    request = f"{call.name} waits for a decision ({call.key})\n{call.arguments}"
    return [plain_section(request, max_length), decision_buttons(update.workflow_id, update.run, call.key)]
