"""The status message of a run: posted once, updated, and safe with hostile text."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.activities.conftest import CHANNEL, NotificationHarness
from watchkeeper.contracts import AlertState, CallRecord, ChannelUpdate, PostedMessage
from watchkeeper.demo.slack import rate_limited, slack_error
from watchkeeper.testing.faults import drop_connection, fault, lose_reply, raw_body

RUN = ChannelUpdate(
    run="run-1",
    workflow_id="alert-prod-abc",
    channel=CHANNEL,
    title="HighErrorRate: checkout fails",
    phase="asking the model",
    status="running",
    service="checkout",
    severity="critical",
)
WAITING = CallRecord(key="r3.0", name="restart_service", arguments='{"service":"checkout"}', status="waiting")


def update(**changes: Any) -> ChannelUpdate:
    return RUN.model_copy(update=changes)


async def test_a_run_is_posted_and_then_updated(notifications: NotificationHarness) -> None:
    message = await notifications.announce(RUN)
    (post,) = notifications.world.channels.posts
    assert message == PostedMessage(channel=CHANNEL, ts=post.ts)
    assert post.metadata == {"event_type": "watchkeeper_run", "event_payload": {"run": "run-1"}}
    assert post.text == "HighErrorRate: checkout fails: running, asking the model"
    for text in ("HighErrorRate: checkout fails", "running, asking the model", "critical", "alert-prod-abc"):
        assert text in post.block_text
    again = await notifications.announce(update(message=message, status="concluded", phase="", summary="**v2** is bad"))
    assert again == message
    assert (len(notifications.world.channels.posts), post.versions) == (1, 2)
    assert "*v2* is bad" in post.block_text
    assert "asking the model" not in post.block_text


async def test_alerts_are_counted(notifications: NotificationHarness) -> None:
    states = [
        AlertState(fingerprint="a", status="firing", title="A", again=2),
        AlertState(fingerprint="b", status="firing", title="B", again=1),
        AlertState(fingerprint="c", status="resolved", title="C"),
    ]
    await notifications.announce(update(alerts=states))
    assert "2 firing, 1 resolved, fired again 3 times" in notifications.world.channels.posts[0].block_text
    await notifications.announce(update(alerts=[AlertState(fingerprint="a", status="resolved", title="A", again=1)]))
    assert "\n1 resolved, fired again once\n" in notifications.world.channels.posts[1].block_text


async def test_links_lead_to_the_run_and_to_a_silence(notifications: NotificationHarness) -> None:
    notifications.set(reports={"run_url": "https://ui.example/w/{run}?of={run_id}"})
    await notifications.announce(update(workflow_id="a/b", silence="https://am.example/#/silences/new?filter=%7B%7D"))
    buttons = notifications.world.channels.posts[0].buttons
    assert buttons["Open the run"]["url"] == "https://ui.example/w/a%2Fb?of=run-1"
    assert buttons["Silence"]["url"] == "https://am.example/#/silences/new?filter=%7B%7D"
    await notifications.announce(update(silence="javascript:alert(1)"))
    assert "Silence" not in notifications.world.channels.posts[1].buttons


async def test_a_waiting_call_is_shown_completely_with_its_buttons(notifications: NotificationHarness) -> None:
    await notifications.announce(update(waiting=[WAITING]))
    (post,) = notifications.world.channels.posts
    assert 'restart_service waits for a decision (r3.0)\n{"service":"checkout"}' in post.block_text
    approve, deny = post.buttons["Approve"], post.buttons["Deny"]
    assert (approve["action_id"], deny["action_id"]) == ("approve", "deny")
    assert approve["value"] == deny["value"] == '{"run":"alert-prod-abc","call":"r3.0","execution":"run-1"}'


async def test_more_waiting_calls_than_a_message_holds(notifications: NotificationHarness) -> None:
    many = [WAITING.model_copy(update={"key": f"r3.{n}", "arguments": "😀&" * 5_000}) for n in range(32)]
    await notifications.announce(update(waiting=many, title="&" * 900, summary="<" * 9_000, reason="x" * 9_000))
    (post,) = notifications.world.channels.posts
    decided = [block["block_id"] for block in post.blocks if block.get("block_id", "").startswith("call-")]
    assert decided == [f"call-r3.{n}" for n in range(10)]
    assert "22 more wait for a decision" in post.block_text
    assert " characters)" in post.block_text


@pytest.mark.parametrize(
    "words", ["<!channel> look", "<!here>", "<@U1>", "<https://evil.example|the run>", "&lt;!channel&gt;", "a > b & c"]
)
async def test_foreign_text_mentions_no_one_and_links_nowhere(notifications: NotificationHarness, words: str) -> None:
    call = CallRecord(key="r1.0", name="restart", arguments=json.dumps({"why": words}), status="waiting")
    await notifications.announce(
        update(title=words, phase=words, service=words, severity=words, reason=words, summary=words, waiting=[call])
    )
    (post,) = notifications.world.channels.posts
    assert notifications.world.channels.mentions == []
    assert words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in post.block_text


async def test_an_approval_request_hides_no_part_of_the_call(notifications: NotificationHarness) -> None:
    hidden = WAITING.model_copy(update={"arguments": '{"service":"checkout\u202etnuocca\u200b"}'})
    await notifications.announce(update(waiting=[hidden]))
    (post,) = notifications.world.channels.posts
    assert '"checkout\ufffdtnuocca\ufffd"' in post.block_text
    kinds = [block["text"]["type"] for block in post.blocks if "waits for a decision" in str(block)]
    assert kinds == ["plain_text"]


async def test_a_post_that_could_not_be_recorded_is_found(notifications: NotificationHarness) -> None:
    slack = notifications.world.slack
    slack.faults.append(lose_reply())
    error = await notifications.unannounced(RUN)
    assert (error.type, error.non_retryable) == ("AnnouncementUndelivered", False)
    (post,) = notifications.world.channels.posts
    assert await notifications.announce(update(phase="later"), attempt=2) == PostedMessage(channel=CHANNEL, ts=post.ts)
    assert (len(notifications.world.channels.posts), post.versions) == (1, 2)


async def test_a_post_is_found_among_many_and_not_mistaken_for_another_run(notifications: NotificationHarness) -> None:
    await notifications.announce(RUN)
    for n in range(210):
        notifications.world.channels.post({"channel": CHANNEL, "text": f"talk {n}"})
    assert (await notifications.announce(RUN, attempt=2)).ts == notifications.world.channels.posts[0].ts
    other = await notifications.announce(update(run="run-2"), attempt=2)
    assert other.ts == notifications.world.channels.posts[-1].ts


async def test_the_next_attempt_posts_what_a_failed_one_did_not(notifications: NotificationHarness) -> None:
    notifications.world.slack.faults.append(drop_connection())
    await notifications.unannounced(RUN)
    assert notifications.world.channels.posts == []
    await notifications.announce(RUN, attempt=2)
    assert len(notifications.world.channels.posts) == 1


async def test_a_deleted_message_is_posted_again(notifications: NotificationHarness) -> None:
    message = await notifications.announce(RUN)
    notifications.world.channels.posts[0].deleted = True
    again = await notifications.announce(update(message=message))
    assert again != message
    assert [post.deleted for post in notifications.world.channels.posts] == [True, False]


@pytest.mark.parametrize(
    ("trouble", "kind", "message"),
    [
        (rate_limited(7), "AnnouncementUndelivered", "ratelimited"),
        (slack_error("ratelimited"), "AnnouncementUndelivered", "ratelimited"),
        (slack_error("internal_error"), "AnnouncementUndelivered", "internal_error"),
        (slack_error("service_unavailable"), "AnnouncementUndelivered", "service_unavailable"),
        (fault(503, "<html>busy</html>"), "AnnouncementUndelivered", "Slack answered chat.postMessage with"),
        (drop_connection(), "AnnouncementUndelivered", "cannot be reached for chat.postMessage"),
        (slack_error("channel_not_found"), "AnnouncementRefused", "channel_not_found"),
        (
            slack_error("missing_scope", needed="chat:write"),
            "AnnouncementRefused",
            "(the app needs the scope chat:write)",
        ),
        (slack_error("not_in_channel"), "AnnouncementRefused", "not_in_channel"),
        (raw_body(b"<html>", "text/html"), "AnnouncementRefused", "non-JSON"),
    ],
)
async def test_a_refusal_of_slack_is_reported(
    notifications: NotificationHarness, trouble: Any, kind: str, message: str
) -> None:
    notifications.world.slack.faults.append(trouble)
    error = await notifications.unannounced(RUN)
    assert (error.type, error.non_retryable) == (kind, kind == "AnnouncementRefused")
    assert message in error.message
    assert notifications.world.slack_token not in error.message
    assert len(notifications.world.slack.requests) == 1


async def test_the_retry_delay_of_slack_is_used(notifications: NotificationHarness) -> None:
    notifications.world.slack.faults.append(rate_limited(7))
    assert (await notifications.unannounced(RUN)).next_retry_delay == timedelta(seconds=7)


async def test_a_wrong_token_is_reported_and_not_shown(notifications: NotificationHarness) -> None:
    notifications.set(
        slack={"url": notifications.world.urls.slack_url, "token": "xoxb-wrong-token", "channel": CHANNEL}
    )
    error = await notifications.unannounced(RUN)
    assert (error.type, "invalid_auth" in error.message) == ("AnnouncementRefused", True)
    assert "xoxb-wrong-token" not in error.message
    notifications.set(slack={})
    assert "WATCHKEEPER_SLACK__TOKEN" in (await notifications.unannounced(RUN)).message
