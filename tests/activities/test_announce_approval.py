"""A call that waits for approval: people are asked and reminded by new messages, which are closed by the outcome."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.exceptions import ApplicationError

from activities.announce_approval import AnnounceApprovalActivities
from tests.activities.conftest import CHANNEL, NotificationHarness, connected, environment
from watchkeeper.contracts import ApprovalEvent, ApprovalNotice, CallRecord, PostedMessage
from watchkeeper.demo.slack import rate_limited, slack_error
from watchkeeper.demo.slack_state import SlackPost
from watchkeeper.testing.faults import Fault, delay, drop_connection, lose_reply

DEADLINE = 1_796_000_000
UNTIL = f"<!date^{DEADLINE}^{{date_short_pretty}} at {{time}}|2026-11-30 00:53:20 UTC>"
COMMAND = "watchkeeper approve alert-prod-abc r3.0"
ARGUMENTS = '{"service":"checkout"}'
REQUEST = ApprovalNotice(
    event="request",
    run="run-1",
    workflow_id="alert-prod-abc",
    call=CallRecord(key="r3.0", name="restart", arguments=ARGUMENTS, status="waiting", deadline=DEADLINE),
    title="HighErrorRate: checkout fails",
    asked_at=DEADLINE - 900,
    service="checkout",
    severity="critical",
    channel=CHANNEL,
)
ENDS: tuple[ApprovalEvent, ...] = ("approved", "denied", "expired", "ended")


def notice(**changes: Any) -> ApprovalNotice:
    return REQUEST.model_copy(update=changes)


@pytest.fixture
def slack(notifications: NotificationHarness) -> NotificationHarness:
    """Slack with buttons."""
    world = notifications.world
    settings = {"url": world.urls.slack_url, "token": world.slack_token, "channel": CHANNEL}
    notifications.set(slack={**settings, "signing_secret": "signing-secret"})
    return notifications


def set_slack(harness: NotificationHarness, **changes: Any) -> None:
    world = harness.world
    settings = {"url": world.urls.slack_url, "token": world.slack_token, "channel": CHANNEL, **changes}
    harness.set(slack=settings)


def posts(harness: NotificationHarness) -> list[SlackPost]:
    return harness.world.channels.posts


async def test_a_request_is_a_new_message_that_notifies_the_channel(slack: NotificationHarness) -> None:
    message = await slack.announce_approval(REQUEST)
    (post,) = posts(slack)
    assert message == PostedMessage(channel=CHANNEL, ts=post.ts)
    assert post.notified == ["<!channel>"]
    assert post.text == (
        f"<!channel> restart (service checkout) waits for approval until {UNTIL}. "
        f"Press Approve or Deny, or run {COMMAND} (HighErrorRate: checkout fails)"
    )
    for text in (
        f"until {UNTIL}",
        f"restart (r3.0)\n{ARGUMENTS}",
        COMMAND,
        "HighErrorRate: checkout fails",
        "critical",
    ):
        assert text in post.block_text
    approve, deny = post.buttons["Approve"], post.buttons["Deny"]
    assert (approve["action_id"], deny["action_id"]) == ("approve", "deny")
    assert approve["value"] == deny["value"] == '{"run":"alert-prod-abc","call":"r3.0","execution":"run-1"}'


async def test_without_a_signing_secret_the_command_is_the_answer(notifications: NotificationHarness) -> None:
    await notifications.announce_approval(REQUEST)
    (post,) = posts(notifications)
    assert post.buttons == {}
    assert f"To answer, run {COMMAND}" in post.text
    assert f"To answer, run `{COMMAND}` or `watchkeeper deny alert-prod-abc r3.0`" in post.block_text


@pytest.mark.parametrize(
    ("setting", "mentions"),
    [("channel", ["<!channel>"]), ("here", ["<!here>"]), ("none", []), ("S024BE7LH", ["<!subteam^S024BE7LH>"])],
)
@pytest.mark.parametrize("event", ["request", "reminder", "expired"])
async def test_the_setting_decides_whom_a_message_notifies(
    notifications: NotificationHarness, event: ApprovalEvent, setting: str, mentions: list[str]
) -> None:
    set_slack(notifications, mention=setting)
    await notifications.announce_approval(notice(event=event))
    (post,) = posts(notifications)
    assert post.notified == mentions
    assert re.findall(r"<!(?!date)[^>]*>", post.text) == mentions


async def test_a_quiet_message_mentions_no_one(slack: NotificationHarness) -> None:
    await slack.announce_approval(notice(quiet=True))
    (post,) = posts(slack)
    assert post.notified == []
    assert post.text.startswith("restart (service checkout) waits for approval until ")


async def test_the_reason_why_a_call_waits_is_shown(slack: NotificationHarness) -> None:
    call = REQUEST.call.model_copy(update={"finding": "team payments is not a team of this incident"})
    await slack.announce_approval(notice(call=call))
    assert f"{ARGUMENTS}\nteam payments is not a team of this incident" in posts(slack)[0].block_text


async def test_in_a_thread_every_message_also_appears_in_the_channel(slack: NotificationHarness) -> None:
    status = slack.world.channels.post({"channel": CHANNEL, "text": "status"})
    thread = PostedMessage(channel=CHANNEL, ts=status.ts)
    events: tuple[ApprovalEvent, ...] = ("request", "reminder", "expired")
    for event in events:
        await slack.announce_approval(notice(event=event, status_message=thread))
    assert [(post.thread_ts, post.is_broadcast) for post in posts(slack)[1:]] == [(status.ts, True)] * 3


async def test_a_deleted_thread_does_not_hide_the_request(slack: NotificationHarness) -> None:
    gone = PostedMessage(channel=CHANNEL, ts="1.0")
    for attempt in (1, 2):
        await slack.announce_approval(notice(status_message=gone), attempt=attempt)
    (post,) = posts(slack)
    assert (post.thread_ts, post.is_broadcast, post.notified) == (None, False, ["<!channel>"])


async def test_the_reminder_says_that_it_is_one(slack: NotificationHarness) -> None:
    await slack.announce_approval(notice(event="reminder"))
    (post,) = posts(slack)
    assert f"restart (service checkout) still waits for approval until {UNTIL}" in post.text
    assert "*still waits*" in post.block_text
    assert "Approve" in post.buttons


async def test_an_expiry_is_a_new_message(slack: NotificationHarness) -> None:
    await slack.announce_approval(notice(event="expired"))
    (post,) = posts(slack)
    assert post.text.startswith("<!channel> No one decided in time: restart (service checkout) was not run. The agent ")
    assert "No one decided in time" in post.block_text
    assert post.buttons == {}
    assert post.notified == ["<!channel>"]


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"event": "approved", "by": "ada"}, "restart (service checkout): approved by ada"),
        ({"event": "denied", "by": "ada", "note": "not <now>"}, "denied by ada: not &lt;now&gt;"),
        ({"event": "denied"}, "denied by a person"),
        ({"event": "expired"}, "not run, because no one decided in time"),
        ({"event": "ended"}, "not run, because the investigation ended first"),
    ],
)
async def test_the_outcome_replaces_request_and_reminder(
    slack: NotificationHarness, changes: dict[str, Any], outcome: str
) -> None:
    request = await slack.announce_approval(REQUEST)
    reminder = await slack.announce_approval(notice(event="reminder", request=request))
    await slack.announce_approval(notice(request=request, reminder=reminder, **changes))
    for post in posts(slack)[:2]:
        assert (post.versions, post.buttons, post.notified) == (2, {}, ["<!channel>"])
        assert outcome in post.text
        assert outcome in post.block_text
        assert "<!channel>" not in post.text + post.block_text
    assert len(posts(slack)) == (3 if changes["event"] == "expired" else 2)


@pytest.mark.parametrize("event", ENDS)
async def test_deleted_messages_do_not_matter(slack: NotificationHarness, event: ApprovalEvent) -> None:
    request = await slack.announce_approval(REQUEST)
    posts(slack)[0].deleted = True
    posted = await slack.announce_approval(notice(event=event, request=request))
    assert (posted is not None) == (event == "expired")


@pytest.mark.parametrize("event", ENDS)
@pytest.mark.parametrize("in_thread", [False, True])
async def test_messages_that_were_never_recorded_are_found_and_closed(
    slack: NotificationHarness, event: ApprovalEvent, *, in_thread: bool
) -> None:
    asked: dict[str, Any] = {"asked_at": datetime.now(UTC).timestamp()}
    if in_thread:
        status = slack.world.channels.post({"channel": CHANNEL, "text": "status"})
        asked |= {"status_message": PostedMessage(channel=CHANNEL, ts=status.ts)}
    await slack.announce_approval(notice(**asked))
    await slack.announce_approval(notice(**asked, run="run-2"))
    await slack.announce_approval(notice(event=event, search=True, **asked))
    ours, other = [post for post in posts(slack) if (post.metadata and "waits" in post.text) or post.versions > 1][:2]
    assert (ours.versions, ours.buttons) == (2, {})
    assert (other.versions, "Approve" in other.buttons) == (1, True)


@pytest.mark.parametrize("event", ["request", "reminder", "expired"])
async def test_every_message_is_posted_once_whatever_happens_to_the_answer(
    slack: NotificationHarness, event: ApprovalEvent
) -> None:
    slack.world.slack.faults.append(lose_reply())
    with pytest.raises(ApplicationError) as failed:
        await slack.announce_approval(notice(event=event))
    assert (failed.value.type, failed.value.non_retryable) == ("AnnouncementUndelivered", False)
    again = await slack.announce_approval(notice(event=event), attempt=2)
    (post,) = posts(slack)
    assert again == PostedMessage(channel=CHANNEL, ts=post.ts)


async def test_without_the_right_to_search_a_request_is_still_posted(slack: NotificationHarness) -> None:
    slack.world.slack.faults.append(slack_error("missing_scope", needed="channels:history"))
    assert await slack.announce_approval(REQUEST, attempt=2) is not None
    slack.world.slack.faults.append(slack_error("missing_scope", needed="channels:history"))
    await slack.announce_approval(notice(event="expired", search=True))
    assert "No one decided in time" in posts(slack)[-1].text


async def test_each_call_and_each_event_has_its_own_message(slack: NotificationHarness) -> None:
    other_call = REQUEST.call.model_copy(update={"key": "r3.1"})
    for changes in ({}, {"event": "reminder"}, {"call": other_call}, {"run": "run-2"}):
        await slack.announce_approval(notice(**changes), attempt=2)
    assert len(posts(slack)) == 4
    assert len({post.client_msg_id for post in posts(slack)}) == 4


@pytest.mark.parametrize("event", get_args(ApprovalEvent))
@pytest.mark.parametrize(
    "words",
    ["<!channel> look", "<!here>", "<@U1>", "<https://evil.example|the run>", "<!date^1^{time}|now>", "&lt;!here&gt;"],
)
async def test_foreign_text_mentions_no_one_and_links_nowhere(
    slack: NotificationHarness, event: ApprovalEvent, words: str
) -> None:
    set_slack(slack, mention="none")
    request = await slack.announce_approval(REQUEST)
    call = REQUEST.call.model_copy(update={"name": words, "arguments": json.dumps({"why": words})})
    foreign = {"call": call, "title": words, "service": words, "severity": words, "by": words, "note": words}
    await slack.announce_approval(notice(event=event, request=request, workflow_id=words, **foreign))
    assert slack.world.channels.mentions == []
    shown = posts(slack)[-1]
    marks = [mark for text in (shown.text, shown.block_text) for mark in re.findall(r"<[^>]*>", text)]
    assert set(marks) <= {UNTIL}


@pytest.mark.parametrize("event", get_args(ApprovalEvent))
async def test_texts_of_any_length_fit(slack: NotificationHarness, event: ApprovalEvent) -> None:
    request = await slack.announce_approval(REQUEST)
    long = "😀&<" * 3_000
    call = REQUEST.call.model_copy(update={"name": long, "arguments": json.dumps({"why": long})})
    facts = {"call": call, "title": long, "service": long, "severity": long, "by": long, "note": long}
    await slack.announce_approval(notice(event=event, request=request, workflow_id="<" * 1_000, **facts))
    assert max(len(post.text) for post in posts(slack)) < 4_000


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (rate_limited(7), "AnnouncementUndelivered"),
        (slack_error("internal_error"), "AnnouncementUndelivered"),
        (drop_connection(), "AnnouncementUndelivered"),
        (slack_error("channel_not_found"), "AnnouncementRefused"),
        (slack_error("missing_scope", needed="chat:write"), "AnnouncementRefused"),
    ],
)
async def test_a_refusal_of_slack_is_reported(slack: NotificationHarness, trouble: Fault, kind: str) -> None:
    slack.world.slack.faults.append(trouble)
    with pytest.raises(ApplicationError) as failed:
        await slack.announce_approval(REQUEST)
    assert failed.value.type == kind
    assert slack.world.slack_token not in failed.value.message


async def test_the_expiry_is_reported_even_if_the_request_cannot_be_changed(slack: NotificationHarness) -> None:
    request = await slack.announce_approval(REQUEST)
    slack.world.slack.faults.append(slack_error("cant_update_message"))
    await slack.announce_approval(notice(event="expired", request=request))
    assert "No one decided in time" in posts(slack)[-1].text


@pytest.mark.parametrize("cancelled_by", ["run", "worker"])
async def test_a_cancelled_attempt_records_what_it_has_posted(slack: NotificationHarness, cancelled_by: str) -> None:
    """The run cancels a request when the wait ends; a worker that shuts down does not wait for Slack."""
    slack.world.slack.faults.append(delay(0.3))
    running = environment(1)
    activities = AnnounceApprovalActivities(slack.settings, slack.http)
    attempt = asyncio.create_task(running.run(activities.announce_approval, REQUEST))
    while not slack.world.slack.requests:
        await asyncio.sleep(0.01)
    by_run = cancelled_by == "run"
    running.cancel(ActivityCancellationDetails(cancel_requested=by_run, worker_shutdown=not by_run))
    if cancelled_by == "worker":
        with pytest.raises(asyncio.CancelledError):
            await attempt
    else:
        message = await attempt
        assert message == PostedMessage(channel=CHANNEL, ts=posts(slack)[0].ts)


# --- pages ---------------------------------------------------------------------------------------------------------


async def test_a_page_of_low_urgency_is_opened_and_resolved(notifications: NotificationHarness) -> None:
    pages = notifications.world.pages
    notifications.set(reports={"run_url": "https://ui.example/w/{run}"})
    await notifications.announce_approval(notice(page=True))
    await notifications.announce_approval(notice(page=True, event="reminder"))
    (event,) = pages.events
    assert (event.team, event.action, event.severity) == ("checkout", "trigger", "warning")
    assert event.summary == (
        "restart (service checkout) waits for approval until 2026-11-30 00:53:20 UTC: HighErrorRate: checkout fails"
    )
    assert COMMAND in json.dumps(event.event)
    assert event.event["client_url"] == "https://ui.example/w/alert-prod-abc"
    await notifications.announce_approval(notice(page=True, event="approved", by="ada"))
    assert [incident.status for incident in pages.incidents] == ["resolved"]


async def test_each_call_has_its_own_page(notifications: NotificationHarness) -> None:
    other_call = REQUEST.call.model_copy(update={"key": "r3.1"})
    for call in (REQUEST.call, other_call, REQUEST.call):
        await notifications.announce_approval(notice(page=True, call=call), attempt=2)
    assert len(notifications.world.pages.incidents) == 2


@pytest.mark.parametrize("event", ["request", *ENDS])
async def test_only_the_setting_pages(notifications: NotificationHarness, event: ApprovalEvent) -> None:
    await notifications.announce_approval(notice(event=event))
    assert notifications.world.pages.events == []


async def test_without_slack_the_page_is_still_sent(notifications: NotificationHarness) -> None:
    assert await notifications.announce_approval(notice(page=True, channel=None)) is None
    assert posts(notifications) == []
    assert len(notifications.world.pages.incidents) == 1


@pytest.mark.parametrize("outage", [slack_error("channel_not_found"), slack_error("internal_error")])
async def test_neither_way_waits_for_the_other(notifications: NotificationHarness, outage: Fault) -> None:
    notifications.world.slack.outage = outage
    with pytest.raises(ApplicationError):
        await notifications.announce_approval(notice(page=True))
    assert len(notifications.world.pages.incidents) == 1
    notifications.world.slack.outage = None
    notifications.world.pagerduty_events.fail_next(503, times=1)
    with pytest.raises(ApplicationError, match="503"):
        await notifications.announce_approval(notice(page=True))
    assert len(posts(notifications)) == 1


async def test_a_team_that_cannot_be_paged_still_gets_the_message(notifications: NotificationHarness) -> None:
    notifications.set(**{**connected(notifications.world), "teams": {}})
    assert await notifications.announce_approval(notice(page=True)) is not None
    assert notifications.world.pages.events == []


async def test_a_refused_page_does_not_stop_the_message(notifications: NotificationHarness) -> None:
    notifications.world.pagerduty_events.fail_next(400, {"status": "invalid event", "message": "no", "errors": []})
    assert await notifications.announce_approval(notice(page=True)) is not None
