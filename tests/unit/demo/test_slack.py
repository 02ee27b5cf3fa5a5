"""The simulated Slack is as strict as the real one."""

from __future__ import annotations

from typing import Any

import pytest
from httpx2 import AsyncClient

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.slack import rate_limited, slack_error
from watchkeeper.demo.world import World

CHANNEL = "C0INCIDENTS"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "Checkout fails."}}


def button(**changes: Any) -> JsonObject:
    return {"type": "button", "action_id": "a", "text": {"type": "plain_text", "text": "A"}, **changes}


async def ask(http: AsyncClient, world: World, method: str, token: str | None = None, **body: Any) -> JsonObject:
    headers = {"authorization": f"Bearer {token or world.slack_token}"}
    answer = await http.post(f"{world.urls.slack_url}/{method}", json=body, headers=headers)
    assert answer.status_code == 200
    found: JsonObject = answer.json()
    return found


async def listed(http: AsyncClient, world: World, method: str, **form: str) -> JsonObject:
    headers = {"authorization": f"Bearer {world.slack_token}"}
    answer = await http.post(f"{world.urls.slack_url}/{method}", data={"channel": CHANNEL, **form}, headers=headers)
    found: JsonObject = answer.json()
    return found


async def test_a_message_is_posted_updated_and_listed(http: AsyncClient, world: World) -> None:
    marker = {"event_type": "t", "event_payload": {"run": "1"}}
    posted = await ask(http, world, "chat.postMessage", channel=CHANNEL, text="a", blocks=[SECTION], metadata=marker)
    assert posted["ok"] is True
    await ask(http, world, "chat.postMessage", channel=CHANNEL, text="reply", thread_ts=posted["ts"])
    updated = await ask(http, world, "chat.update", channel=CHANNEL, ts=posted["ts"], text="b")
    assert updated["ok"] is True
    (message,) = (await listed(http, world, "conversations.history", include_all_metadata="1"))["messages"]
    assert (message["text"], message["metadata"]) == ("b", marker)
    (bare,) = (await listed(http, world, "conversations.history"))["messages"]
    assert "metadata" not in bare
    thread = (await listed(http, world, "conversations.replies", ts=posted["ts"]))["messages"]
    assert [message["text"] for message in thread] == ["b", "reply"]


async def test_history_comes_in_pages_and_from_a_time_on(http: AsyncClient, world: World) -> None:
    posts = [world.channels.post({"channel": CHANNEL, "text": str(n)}) for n in range(130)]
    first = await listed(http, world, "conversations.history", limit="1000")
    cursor = first["response_metadata"]["next_cursor"]
    rest = await listed(http, world, "conversations.history", limit="1000", cursor=cursor)
    assert [message["text"] for message in first["messages"] + rest["messages"]] == [str(n) for n in range(129, -1, -1)]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    late = await listed(http, world, "conversations.history", oldest=posts[127].ts)
    assert len(late["messages"]) == 3


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"channel": "C9", "text": "a"}, "channel_not_found"),
        ({"text": "a"}, "channel_not_found"),
        ({"channel": CHANNEL}, "no_text"),
        ({"channel": CHANNEL, "text": "a", "thread_ts": "1.0"}, "thread_not_found"),
        ({"channel": CHANNEL, "text": "a", "metadata": {"run": "1"}}, "invalid_metadata_format"),
        ({"channel": CHANNEL, "text": "a", "client_msg_id": "x"}, "invalid_arguments"),
        ({"channel": CHANNEL, "text": "a", "blocks": "x"}, "invalid_blocks"),
        ({"channel": CHANNEL, "text": "a", "blocks": [SECTION] * 51}, "invalid_blocks"),
        (
            {
                "channel": CHANNEL,
                "text": "a",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2_500}}] * 4,
            },
            "msg_blocks_too_long",
        ),
    ],
)
async def test_invalid_messages_are_refused(http: AsyncClient, world: World, body: JsonObject, error: str) -> None:
    answer = await ask(http, world, "chat.postMessage", **body)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert world.channels.posts == []


@pytest.mark.parametrize(
    ("block", "fault"),
    [
        ({"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3_001}}, "must be less than 3001 characters"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": "😀" * 1_501}}, "must be less than 3001 characters"),
        ({"type": "section", "text": {"type": "mrkdwn", "text": " "}}, "must be more than 0 characters"),
        ({"type": "section", "fields": []}, "needs a text"),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "type plain_text"),
        ({"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}, "must be less than 151 characters"),
        ({"type": "video"}, "unsupported type"),
        ({"type": "actions", "elements": []}, "needs 1 to 25"),
        ({"type": "actions", "elements": [button(), button()]}, "action_id must be unique"),
        ({"type": "actions", "elements": [button(value="x" * 2_001)]}, "value must have"),
        ({"type": "actions", "elements": [button(url="javascript:x")]}, "invalid url"),
        ({"type": "actions", "elements": [button(style="green")]}, "style must be"),
    ],
)
async def test_invalid_blocks_are_refused(http: AsyncClient, world: World, block: JsonObject, fault: str) -> None:
    answer = await ask(http, world, "chat.postMessage", channel=CHANNEL, text="a", blocks=[block])
    assert answer["error"] == "invalid_blocks"
    assert fault in answer["response_metadata"]["messages"][0]


async def test_a_wrong_token_is_refused(http: AsyncClient, world: World) -> None:
    assert (await ask(http, world, "chat.postMessage", "wrong", channel=CHANNEL, text="a"))["error"] == "invalid_auth"
    nobody = await http.post(f"{world.urls.slack_url}/chat.postMessage", json={})
    assert nobody.json()["error"] == "not_authed"


async def test_an_unknown_message_is_not_found(http: AsyncClient, world: World) -> None:
    answer = await ask(http, world, "chat.update", channel=CHANNEL, ts="1.0", text="a")
    assert answer["error"] == "message_not_found"
    assert (await listed(http, world, "conversations.replies", ts="1.0"))["error"] == "thread_not_found"


async def test_its_errors(http: AsyncClient, world: World) -> None:
    world.slack.faults.extend([slack_error("internal_error"), rate_limited(3)])
    assert (await ask(http, world, "chat.postMessage"))["error"] == "internal_error"
    limited = await http.post(f"{world.urls.slack_url}/chat.postMessage", json={})
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "3")


async def test_mentions_are_found(http: AsyncClient, world: World) -> None:
    await ask(http, world, "chat.postMessage", channel=CHANNEL, text="<!channel> a &lt;!here&gt;")
    assert world.channels.mentions == ["<!channel>"]


async def test_only_a_new_message_notifies_and_only_by_what_is_formatted(http: AsyncClient, world: World) -> None:
    plain = {"type": "section", "text": {"type": "plain_text", "text": "<!channel>"}}
    await ask(http, world, "chat.postMessage", channel=CHANNEL, text="<!here> at <!date^1^{time}|one>")
    await ask(http, world, "chat.postMessage", channel=CHANNEL, text="<!here>", blocks=[plain, SECTION])
    posted = await ask(http, world, "chat.postMessage", channel=CHANNEL, text="a")
    await ask(http, world, "chat.update", channel=CHANNEL, ts=posted["ts"], text="<!channel>")
    assert [post.notified for post in world.channels.posts] == [["<!here>"], [], []]


async def test_the_channel_shows_only_the_replies_that_are_broadcast(http: AsyncClient, world: World) -> None:
    first = await ask(http, world, "chat.postMessage", channel=CHANNEL, text="first")
    for text, broadcast in (("quiet", False), ("loud", True)):
        reply = {"channel": CHANNEL, "text": text, "thread_ts": first["ts"], "reply_broadcast": broadcast}
        assert (await ask(http, world, "chat.postMessage", **reply))["ok"] is True
    alone = await ask(http, world, "chat.postMessage", channel=CHANNEL, text="alone", reply_broadcast=True)
    assert alone["error"] == "invalid_arguments"
    shown = (await listed(http, world, "conversations.history"))["messages"]
    assert [(message["text"], message.get("subtype")) for message in shown] == [
        ("loud", "thread_broadcast"),
        ("first", None),
    ]
