"""The state of the simulated Slack: its channels and messages, and the people that the messages mention."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from watchkeeper.contracts import JsonObject

_MENTION = re.compile(r"<(?:!(?!date\^)|@|#)[^>]*>")


@dataclass
class SlackPost:
    """The current version of a message."""

    channel: str
    ts: str
    text: str
    blocks: list[JsonObject]
    metadata: JsonObject | None
    thread_ts: str | None
    client_msg_id: str | None
    is_broadcast: bool = False
    """A reply that the channel shows too."""
    notified: list[str] = field(default_factory=list)
    """The mentions that notified people when it was posted. A later version notifies no one."""
    versions: int = 1
    """Number of versions, the first one included."""
    deleted: bool = False

    @property
    def block_text(self) -> str:
        """All texts of its blocks, one per line."""
        return "\n".join(texts(self.blocks))

    @property
    def buttons(self) -> dict[str, JsonObject]:
        """Its buttons by label; the last one where labels repeat."""
        rows = [block["elements"] for block in self.blocks if block["type"] == "actions"]
        return {button["text"]["text"]: button for row in rows for button in row}


@dataclass
class SlackChannels:
    """All messages, in the order in which they were posted."""

    known: tuple[str, ...]
    posts: list[SlackPost] = field(default_factory=list)
    scopes: set[str] = field(default_factory=lambda: {"chat:write", "channels:history"})
    """What the token may do."""

    def post(self, body: JsonObject) -> SlackPost:
        """Store a new message."""
        post = SlackPost(
            channel=body["channel"],
            ts=self._next_ts(),
            text=body.get("text", ""),
            blocks=body.get("blocks", []),
            metadata=body.get("metadata"),
            thread_ts=body.get("thread_ts"),
            client_msg_id=body.get("client_msg_id"),
            is_broadcast=bool(body.get("reply_broadcast")),
        )
        # With blocks, the text is only for the notification and the mentions are read from the blocks.
        formatted = "\n".join(texts(post.blocks, "mrkdwn")) if post.blocks else post.text
        post.notified = _MENTION.findall(formatted)
        self.posts.append(post)
        return post

    def at(self, channel: str, ts: str) -> SlackPost | None:
        """Return a message, unless it is deleted or unknown."""
        found = (post for post in self.posts if (post.channel, post.ts) == (channel, ts) and not post.deleted)
        return next(found, None)

    def history(self, channel: str) -> list[SlackPost]:
        """Return the messages of a channel, newest first. A reply is only in its thread unless it was broadcast."""
        found = [post for post in self.posts if post.channel == channel and not post.deleted]
        return [post for post in found if post.thread_ts is None or post.is_broadcast][::-1]

    def thread(self, channel: str, ts: str) -> list[SlackPost]:
        """Return a message and its replies, oldest first."""
        inside = [post for post in self.posts if post.channel == channel and ts in (post.ts, post.thread_ts)]
        return [post for post in inside if not post.deleted]

    @property
    def mentions(self) -> list[str]:
        """The mentions of people and channels in all messages."""
        written = [text for post in self.posts for text in (post.text, post.block_text)]
        return [ping for text in written for ping in _MENTION.findall(text)]

    def _next_ts(self) -> str:
        latest = float(self.posts[-1].ts) if self.posts else 0.0
        return f"{max(time.time(), latest + 1e-5):.6f}"


def texts(value: object, kind: str | None = None) -> Iterator[str]:
    """Yield every text of some blocks; with ``kind``, only texts of this type."""
    match value:
        case {"text": str(text), "type": str(own)} if kind is not None:
            yield from [text] * (own == kind)
        case {"text": str(text)}:
            yield text
        case dict():
            for member in value.values():
                yield from texts(member, kind)
        case list():
            for member in value:
                yield from texts(member, kind)
