"""The report in Slack: complete, in its thread, once."""

from __future__ import annotations

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.slack_search import MAX_SEARCH_ATTEMPTS
from tests.activities.conftest import CHANNEL, PAGER, NotificationHarness, connected
from tests.support.harness import run_harness
from watchkeeper.contracts import AlertOrigin, ChannelUpdate, PostedMessage, Report, ReportDelivery
from watchkeeper.demo.slack import rate_limited, slack_error
from watchkeeper.demo.world import World
from watchkeeper.http.limited_client import RESPONSE_BYTES
from watchkeeper.testing.faults import delay, drop_connection, fault, lose_reply, raw_body, redirect
from watchkeeper.testing.scripts import says

DELIVERY = ReportDelivery(
    destination="slack",
    run="run-1",
    workflow_id="alert-prod-abc",
    status="concluded",
    report=Report(summary="Checkout is fine.", body="# Found\nAll of **checkout** is fine: 0 % <!channel> & é…"),
    service="checkout",
)
LONG = Report(summary="Long.", body="\n".join(f"line {n} " + "<&>" * 20 for n in range(120)))


def changed(**members: object) -> ReportDelivery:
    return DELIVERY.model_copy(update=members)


async def living(notifications: NotificationHarness) -> PostedMessage:
    return await notifications.announce(
        ChannelUpdate(
            run="run-1", workflow_id="alert-prod-abc", channel=CHANNEL, title="T", phase="reporting", status="running"
        )
    )


async def test_the_report_is_a_reply_to_the_message_of_the_run(notifications: NotificationHarness) -> None:
    message = await living(notifications)
    await notifications.deliver(changed(message=message), "slack")
    _, reply = notifications.world.channels.thread(CHANNEL, message.ts)
    assert reply.metadata == {"event_type": "watchkeeper_report", "event_payload": {"run": "run-1", "part": "report"}}
    assert reply.block_text == (
        "Checkout is fine.\nReport of a run · concluded\n"
        "*Found*\nAll of *checkout* is fine: 0 % &lt;!channel&gt; &amp; é…"
    )
    assert notifications.world.channels.mentions == []


async def test_without_a_message_of_the_run_the_report_is_in_the_channel_of_the_team(
    notifications: NotificationHarness,
) -> None:
    await notifications.deliver(DELIVERY, "slack")
    teams = {team: {"slack_channel": f"C0{team.upper()}"} for team in ("checkout", "payments")}
    notifications.set(teams=teams)
    await notifications.deliver(DELIVERY, "slack")
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g", team="payments")
    await notifications.deliver(changed(origin=origin), "slack")
    assert [post.channel for post in notifications.world.channels.posts] == [CHANNEL, "C0CHECKOUT", "C0PAYMENTS"]
    assert all(post.thread_ts is None for post in notifications.world.channels.posts)


@pytest.mark.parametrize("slack", [{}, {"channel": CHANNEL}, {"token": "xoxb-1"}])
async def test_without_slack_settings_there_is_nothing_to_do(
    notifications: NotificationHarness, slack: dict[str, str]
) -> None:
    notifications.set(slack={"url": notifications.world.urls.slack_url, **slack})
    await notifications.deliver(DELIVERY, "slack")
    assert notifications.world.slack.requests == []


async def test_a_follow_up_is_a_separate_reply(notifications: NotificationHarness) -> None:
    message = await living(notifications)
    await notifications.deliver(changed(message=message), "slack")
    await notifications.deliver(
        changed(message=message, follow_up=2, question="And <!here> payments?"), "slack", attempt=2
    )
    *_, reply = notifications.world.channels.thread(CHANNEL, message.ts)
    assert reply.block_text.startswith("Follow-up 2: Checkout is fine.\n*Asked:* And &lt;!here&gt; payments?\n")
    assert len(notifications.world.channels.posts) == 3


async def test_a_long_report_is_split_into_several_replies(notifications: NotificationHarness) -> None:
    message = await living(notifications)
    await notifications.deliver(changed(message=message, report=LONG), "slack")
    _, *replies = notifications.world.channels.thread(CHANNEL, message.ts)
    assert len(replies) > 2
    written = "\n".join(reply.block_text for reply in replies).replace("&lt;", "<").replace("&gt;", ">")
    assert written.replace("&amp;", "&").endswith(LONG.body)


async def test_a_report_beyond_the_limit_says_what_is_left_out(notifications: NotificationHarness) -> None:
    await notifications.deliver(changed(report=Report(summary="s", body="x" * 90_000)), "slack")
    first, *others = notifications.world.channels.posts
    assert len(others) == 5
    assert {post.thread_ts for post in others} == {first.ts}
    assert others[-1].block_text.endswith(
        "45000 characters are left out here; the whole report: watchkeeper show alert-prod-abc"
    )


@pytest.mark.parametrize("threaded", [True, False])
@pytest.mark.parametrize("lost", [0, 1, 2])
async def test_the_next_attempt_finds_what_was_already_posted(
    notifications: NotificationHarness, threaded: bool, lost: int
) -> None:
    message = await living(notifications) if threaded else None
    long = changed(message=message, report=LONG)
    notifications.world.slack.faults.extend([*[delay(0)] * lost, lose_reply()])
    error = await notifications.undelivered(long, "slack")
    assert (error.type, error.non_retryable) == ("ReportUndelivered", False)
    await notifications.deliver(long, "slack", attempt=2)
    parts = [post.metadata["event_payload"].get("part") for post in notifications.world.channels.posts if post.metadata]
    written = [part for part in parts if part]
    assert written == ["report", *(f"report/{n}" for n in range(2, len(written) + 1))]
    assert len(written) > 2


HTML = fault(503, headers={"content-type": "text/html"})
TEMPORARY = {
    "limited, soon": rate_limited(1),
    "limited, in a minute": rate_limited(60),
    "limited, without a time": fault(429, {"ok": False, "error": "ratelimited"}),
    "limited, with status 200": slack_error("ratelimited"),
    "429 without JSON": fault(429, headers={"retry-after": "1"}),
    "500": fault(500, {"ok": False, "error": "internal_error"}),
    "503 of a proxy": HTML,
    "an error of Slack": slack_error("fatal_error"),
    "a workspace that moves": slack_error("team_added_to_org"),
    "no answer": drop_connection(),
    "a lost answer": lose_reply(),
}


@pytest.mark.parametrize("scopes", [{"chat:write"}, {"chat:write", "channels:history"}], ids=["write", "read"])
@pytest.mark.parametrize("threaded", [True, False], ids=["thread", "channel"])
@pytest.mark.parametrize("trouble", TEMPORARY)
async def test_a_report_arrives_after_a_temporary_error(
    notifications: NotificationHarness, trouble: str, threaded: bool, scopes: set[str]
) -> None:
    message = await living(notifications) if threaded else None
    notifications.world.channels.scopes = scopes
    notifications.world.slack.faults.append(TEMPORARY[trouble])
    delivery = changed(message=message)
    try:
        await notifications.deliver(delivery, "slack")
    except ApplicationError as error:
        assert (error.type, error.non_retryable) == ("ReportUndelivered", False)
        await notifications.deliver(delivery, "slack", attempt=2)
    reports = [post for post in notifications.world.channels.posts if "Report of a run" in post.block_text]
    twice = trouble == "a lost answer" and "channels:history" not in scopes
    assert len(reports) == (2 if twice else 1)
    assert len({post.client_msg_id for post in reports}) == 1


async def test_a_short_limit_is_waited_for_in_the_same_attempt(notifications: NotificationHarness) -> None:
    notifications.world.slack.faults.extend([rate_limited(0), rate_limited(1)])
    await notifications.deliver(DELIVERY, "slack")
    assert len(notifications.world.channels.posts) == 1


@pytest.mark.parametrize("error", ["missing_scope", "not_in_channel", "not_allowed_token_type", "no_permission"])
async def test_a_refused_search_refuses_no_report(notifications: NotificationHarness, error: str) -> None:
    notifications.world.slack.faults.append(slack_error(error))
    await notifications.deliver(DELIVERY, "slack", attempt=2)
    assert [request.path for request in notifications.world.slack.requests] == [
        "/conversations.history",
        "/chat.postMessage",
    ]


async def test_a_search_that_stays_limited_ends_in_a_post(notifications: NotificationHarness) -> None:
    for attempt in range(2, MAX_SEARCH_ATTEMPTS):
        notifications.world.slack.faults.append(rate_limited(60))
        error = await notifications.undelivered(DELIVERY, "slack", attempt=attempt)
        assert error.next_retry_delay is not None
        assert error.next_retry_delay.total_seconds() >= 60
    notifications.world.slack.faults.append(rate_limited(60))
    await notifications.deliver(DELIVERY, "slack", attempt=MAX_SEARCH_ATTEMPTS)
    assert len(notifications.world.channels.posts) == 1


@pytest.mark.parametrize("error", ["duplicate_message_not_found", "duplicate_channel_not_found"])
async def test_a_key_whose_message_is_gone_is_left_out(notifications: NotificationHarness, error: str) -> None:
    notifications.world.slack.faults.append(slack_error(error))
    await notifications.deliver(DELIVERY, "slack")
    assert [post.client_msg_id for post in notifications.world.channels.posts] == [None]


@pytest.mark.parametrize("error", ["invalid_auth", "channel_not_found", "is_archived", "missing_scope"])
async def test_what_slack_refuses_for_good_is_refused_at_once(notifications: NotificationHarness, error: str) -> None:
    notifications.world.slack.faults.append(slack_error(error))
    refused = await notifications.undelivered(DELIVERY, "slack")
    assert (refused.type, refused.non_retryable, error in refused.message) == ("ReportRefused", True, True)


async def test_the_simulated_slack_refuses_a_token_without_the_scope(notifications: NotificationHarness) -> None:
    notifications.world.channels.scopes = {"channels:history"}
    refused = await notifications.undelivered(DELIVERY, "slack")
    assert refused.message.endswith("missing_scope (the app needs the scope chat:write)")


async def test_a_report_is_posted_even_if_its_thread_was_deleted(notifications: NotificationHarness) -> None:
    message = await living(notifications)
    notifications.world.channels.posts[0].deleted = True
    for attempt in (1, 2):
        await notifications.deliver(changed(message=message), "slack", attempt=attempt)
    assert [post.thread_ts for post in notifications.world.channels.posts[1:]] == [None]


async def test_a_run_is_reported_once_if_the_answer_is_lost(client: Client, world: World) -> None:
    world.slack.faults.extend([rate_limited(1), delay(0), lose_reply()])
    async with run_harness(client, [says("**Fine.**")], tools=PAGER, **connected(world)) as harness:
        result = await (await harness.start(service="checkout")).result()
    assert (result.status, result.undelivered) == ("concluded", [])
    announced, report = world.channels.posts
    assert (announced.channel, announced.thread_ts) == (CHANNEL, None)
    assert report.thread_ts == announced.ts


@pytest.mark.parametrize("status", [200, 500])
async def test_an_answer_of_any_size_is_limited(notifications: NotificationHarness, status: int) -> None:
    notifications.world.slack.outage = raw_body(b" " * (RESPONSE_BYTES + 1), "application/json", status)
    error = await notifications.undelivered(DELIVERY, "slack")
    assert not error.non_retryable
    assert "cannot be reached" in str(error)


async def test_a_redirect_is_not_followed(notifications: NotificationHarness) -> None:
    elsewhere = notifications.world.urls.loki_url
    notifications.world.slack.outage = redirect(f"{elsewhere}/token", 302)
    assert "status 302" in str(await notifications.undelivered(DELIVERY, "slack"))
    assert notifications.world.loki.requests == []
