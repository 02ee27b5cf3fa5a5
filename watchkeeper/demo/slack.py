"""The simulated Slack: the methods of its Web API that Watchkeeper calls, as strict as the real ones."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.slack_block_rules import MAX_TEXT, find_faults
from watchkeeper.demo.slack_state import SlackChannels, SlackPost, texts
from watchkeeper.testing.faults import Fault, fault

BOT = "B0WATCH"
PAGE = 100
"""Most messages in one response."""

_SCOPES = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
}
"""The scope that each method needs."""

Method = Callable[[JsonObject], JsonObject]


class _Refused(Exception):
    """A response with ``ok: false``; its text is Slack's error code."""

    def __init__(self, error: str, **more: object) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **more}


def slack_app(channels: SlackChannels, token: str) -> Starlette:
    """Build the server of the methods below. A token without the scope that a method needs is refused."""
    methods: dict[str, Method] = {
        "chat.postMessage": lambda body: _post(channels, body),
        "chat.update": lambda body: _update(channels, body),
        "conversations.history": lambda body: _history(channels, body),
        "conversations.replies": lambda body: _replies(channels, body),
        "auth.test": lambda body: {"team": "Acme", "user": "watchkeeper"},
    }
    routes = [
        Route(f"/{name}", _endpoint(name, method, channels, token), methods=["POST"])
        for name, method in methods.items()
    ]
    return Starlette(routes=routes)


def slack_error(error: str, **more: object) -> Fault:
    """Answer 200 with ``ok: false``, as Slack reports errors."""
    return fault(200, {"ok": False, "error": error, **more})


def rate_limited(seconds: int) -> Fault:
    """Answer 429, to be repeated after some seconds."""
    return fault(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})


def _endpoint(
    name: str, method: Method, channels: SlackChannels, token: str
) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            if (header := request.headers.get("authorization")) != f"Bearer {token}":
                raise _Refused("invalid_auth" if header else "not_authed")
            if (needed := _SCOPES.get(name)) is not None and needed not in channels.scopes:
                raise _Refused("missing_scope", needed=needed, provided=",".join(sorted(channels.scopes)))
            answer = {"ok": True, **method(await _read(request))}
            return JSONResponse(answer, headers={"x-oauth-scopes": ",".join(sorted(channels.scopes))})
        except _Refused as refused:
            return JSONResponse(refused.body)

    return respond


async def _read(request: Request) -> JsonObject:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = json.loads(await request.body())
        except ValueError:
            raise _Refused("invalid_json") from None
        if not isinstance(body, dict):
            raise _Refused("json_not_object")
        return body
    return dict(parse_qsl((await request.body()).decode()))


def _post(channels: SlackChannels, body: JsonObject) -> JsonObject:
    _check_content(channels, body)
    if (thread := body.get("thread_ts")) is not None and channels.at(body["channel"], thread) is None:
        raise _Refused("thread_not_found")
    if body.get("reply_broadcast") and thread is None:
        raise _Refused("invalid_arguments")
    try:
        UUID(body.get("client_msg_id", "00000000-0000-0000-0000-000000000000"))
    except ValueError:
        raise _Refused("invalid_arguments") from None
    post = channels.post(body)
    return {"channel": post.channel, "ts": post.ts, "message": _message_json(post, metadata=True)}


def _update(channels: SlackChannels, body: JsonObject) -> JsonObject:
    _check_content(channels, body)
    if (post := channels.at(body["channel"], body.get("ts", ""))) is None:
        raise _Refused("message_not_found")
    post.text, post.blocks = body.get("text", ""), body.get("blocks", [])
    post.metadata = body.get("metadata", post.metadata)
    post.versions += 1
    return {"channel": post.channel, "ts": post.ts, "text": post.text}


def _check_content(channels: SlackChannels, body: JsonObject) -> None:
    _check_channel(channels, body)
    if not body.get("text") and not body.get("blocks"):
        raise _Refused("no_text")
    if faults := find_faults(body.get("blocks", [])):
        raise _Refused("invalid_blocks", response_metadata={"messages": [f"[ERROR] {fault}" for fault in faults]})
    if sum(map(len, texts(body.get("blocks", [])))) > MAX_TEXT:
        raise _Refused("msg_blocks_too_long")
    match body.get("metadata"):
        case None | {"event_type": str(), "event_payload": dict()}:
            return
    raise _Refused("invalid_metadata_format")


def _history(channels: SlackChannels, body: JsonObject) -> JsonObject:
    _check_channel(channels, body)
    return _one_page(channels.history(body["channel"]), body)


def _replies(channels: SlackChannels, body: JsonObject) -> JsonObject:
    _check_channel(channels, body)
    if channels.at(body["channel"], body.get("ts", "")) is None:
        raise _Refused("thread_not_found")
    return _one_page(channels.thread(body["channel"], body["ts"]), body)


def _one_page(posts: list[SlackPost], body: JsonObject) -> JsonObject:
    oldest, start = float(body.get("oldest", 0)), int(body.get("cursor", 0))
    size = min(int(body.get("limit", PAGE)), PAGE)
    recent = [post for post in posts if float(post.ts) >= oldest]
    messages = [
        _message_json(post, metadata=body.get("include_all_metadata") == "1") for post in recent[start : start + size]
    ]
    more = len(recent) > start + size
    return {
        "messages": messages,
        "has_more": more,
        "response_metadata": {"next_cursor": str(start + size) if more else ""},
    }


def _check_channel(channels: SlackChannels, body: JsonObject) -> None:
    if body.get("channel") not in channels.known:
        raise _Refused("channel_not_found")


def _message_json(post: SlackPost, *, metadata: bool) -> JsonObject:
    message: JsonObject = {"type": "message", "bot_id": BOT, "ts": post.ts, "text": post.text, "blocks": post.blocks}
    if post.thread_ts is not None:
        message["thread_ts"] = post.thread_ts
    if post.is_broadcast:
        message["subtype"] = "thread_broadcast"
    if metadata and post.metadata is not None:
        message["metadata"] = post.metadata
    return message
