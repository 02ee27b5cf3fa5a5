from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.announce import AnnounceActivities
from activities.announce_approval import AnnounceApprovalActivities
from activities.deliver import DeliverActivities
from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ApprovalNotice, ChannelUpdate, Destination, PostedMessage, ReportDelivery
from watchkeeper.demo.world import World
from watchkeeper.tool_calling.catalogue import discover_tools

CHANNEL = "C0INCIDENTS"
PAGER = {"page_engineer": discover_tools()["page_engineer"]}


def connected(world: World, **tables: Any) -> dict[str, Any]:
    """Return settings for every simulated notification service; ``tables`` replaces whole tables."""
    urls = world.urls
    return {
        "teams": {team: {"routing_key": key} for team, key in world.routing_keys.items()},
        "slack": {"url": urls.slack_url, "token": world.slack_token, "channel": CHANNEL},
        "pagerduty": {
            "events_url": urls.pagerduty_events_url,
            "api_url": urls.pagerduty_api_url,
            "api_token": world.pagerduty_token,
            "from_email": "watchkeeper@example.com",
        },
        **tables,
    }


@dataclass
class NotificationHarness:
    """Runs the activities that notify people, one attempt at a time."""

    world: World
    http: AsyncClient
    settings: Settings

    def set(self, **tables: Any) -> None:
        self.settings = build_settings(**connected(self.world, **tables))

    async def deliver(self, delivery: ReportDelivery, destination: Destination, *, attempt: int = 1) -> None:
        activities = DeliverActivities(self.settings, self.http)
        chosen = delivery.model_copy(update={"destination": destination})
        await environment(attempt).run(activities.deliver, chosen)

    async def announce(self, announcement: ChannelUpdate, *, attempt: int = 1) -> PostedMessage:
        activities = AnnounceActivities(self.settings)
        return await environment(attempt).run(activities.announce, announcement)

    async def announce_approval(self, notice: ApprovalNotice, *, attempt: int = 1) -> PostedMessage | None:
        activities = AnnounceApprovalActivities(self.settings, self.http)
        return await environment(attempt).run(activities.announce_approval, notice)

    async def undelivered(
        self, delivery: ReportDelivery, destination: Destination, *, attempt: int = 1
    ) -> ApplicationError:
        with pytest.raises(ApplicationError) as failed:
            await self.deliver(delivery, destination, attempt=attempt)
        return failed.value

    async def unannounced(self, announcement: ChannelUpdate, *, attempt: int = 1) -> ApplicationError:
        with pytest.raises(ApplicationError) as failed:
            await self.announce(announcement, attempt=attempt)
        return failed.value


def environment(attempt: int) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = replace(
        environment.info, attempt=attempt, activity_id="deliver-slack", scheduled_time=datetime.now(UTC)
    )
    return environment


@pytest.fixture
async def notifications(world: World) -> AsyncIterator[NotificationHarness]:
    async with AsyncClient(timeout=5) as http:
        yield NotificationHarness(world, http, build_settings(**connected(world)))
