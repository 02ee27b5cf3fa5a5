"""Announcing."""

from __future__ import annotations

from temporalio import activity

from watchkeeper.contracts import Announcement, Message


class AnnouncingActivities:
    """Announces."""

    @activity.defn
    async def announce(self, what: Announcement) -> Message:
        """Announce."""
        return Message(channel=what.channel, ts="1")
