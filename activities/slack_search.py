"""Find what earlier attempts of an activity posted in Slack, where the app may read the channel."""

from __future__ import annotations

import logging
from datetime import datetime

from temporalio import activity

from watchkeeper.contracts import PostedMessage
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.tool import ToolError, ToolUnavailable

MAX_SEARCH_ATTEMPTS = 4
"""Attempts that wait until the channel can be read. Slack limits reading more than posting."""

log = logging.getLogger(__name__)


async def posted_before(
    slack: SlackClient, wanted: MessageMarker, channel: str, since: datetime, thread: str | None = None
) -> dict[str, PostedMessage]:
    """Return the messages that earlier attempts posted, by the part in their marker.

    An app needs only ``chat:write`` to post. Where it may not read, or cannot for several attempts, nothing is found
    and the message is posted again: twice is better than never.

    Raises MessageDeleted if the thread was deleted, and ToolUnavailable.
    """
    try:
        return await slack.find(wanted, channel, since, thread=thread)
    except MessageDeleted:
        raise
    except ToolError as error:
        log.warning("earlier messages cannot be searched, so they may be posted twice: %s", error)
    except ToolUnavailable as error:
        if activity.info().attempt < MAX_SEARCH_ATTEMPTS:
            raise
        log.warning("earlier messages cannot be searched now, so they may be posted twice: %s", error)
    return {}
