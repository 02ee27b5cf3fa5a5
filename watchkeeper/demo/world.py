"""All simulated back ends of the agent. Each is a separate server; all show the same incident."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from watchkeeper.demo.github_argocd import argocd_app, github_app
from watchkeeper.demo.loki import loki_app
from watchkeeper.demo.pagerduty import events_app, rest_app
from watchkeeper.demo.pagerduty_state import PagerDutyState
from watchkeeper.demo.prometheus import prometheus_app
from watchkeeper.demo.scenario import SERVICES, Scenario
from watchkeeper.demo.slack import slack_app
from watchkeeper.demo.slack_state import SlackChannels
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer

GITHUB_TOKEN = "demo-github-token"
ARGOCD_TOKEN = "demo-argocd-token"
PAGERDUTY_TOKEN = "demo-pagerduty-token"
SLACK_TOKEN = "xoxb-demo-slack-token"
SLACK_CHANNELS = ("C0INCIDENTS", *(f"C0{team.upper()}" for team in SERVICES))
ROUTING_KEYS = {team: f"demo-{team}".ljust(32, "0") for team in SERVICES}
"""PagerDuty routing key of each team; a team is named after its service."""


@dataclass(frozen=True)
class WorldUrls:
    """Base URLs; a client adds the vendor's paths."""

    prometheus_url: str
    loki_url: str
    github_url: str
    argocd_url: str
    pagerduty_events_url: str
    pagerduty_api_url: str
    slack_url: str


class World:
    """The back ends with their state. Each records its requests and can be made to fail."""

    github_token = GITHUB_TOKEN
    argocd_token = ARGOCD_TOKEN
    pagerduty_token = PAGERDUTY_TOKEN
    slack_token = SLACK_TOKEN
    routing_keys = ROUTING_KEYS
    urls: WorldUrls

    def __init__(self, started_at: float | None = None) -> None:
        self.scenario = Scenario(time.time() if started_at is None else started_at)
        self.pages = PagerDutyState(ROUTING_KEYS)
        self.prometheus = FakeServer(prometheus_app(self.scenario))
        self.loki = FakeServer(loki_app(self.scenario))
        self.github = FakeServer(github_app(self.scenario, GITHUB_TOKEN))
        self.argocd = FakeServer(argocd_app(self.scenario, ARGOCD_TOKEN))
        self.pagerduty_events = FakeServer(events_app(self.pages))
        self.pagerduty_api = FakeServer(rest_app(self.pages, PAGERDUTY_TOKEN))
        self.channels = SlackChannels(SLACK_CHANNELS)
        self.slack = FakeServer(slack_app(self.channels, SLACK_TOKEN))

    @classmethod
    @asynccontextmanager
    async def running(cls, started_at: float | None = None) -> AsyncIterator[World]:
        """Serve new back ends on free ports of loopback."""
        world = cls(started_at)
        async with AsyncExitStack() as servers:
            world.urls = WorldUrls(
                prometheus_url=await servers.enter_async_context(serve(world.prometheus)),
                loki_url=await servers.enter_async_context(serve(world.loki)),
                github_url=await servers.enter_async_context(serve(world.github)),
                argocd_url=await servers.enter_async_context(serve(world.argocd)),
                pagerduty_events_url=await servers.enter_async_context(serve(world.pagerduty_events)),
                pagerduty_api_url=await servers.enter_async_context(serve(world.pagerduty_api)),
                slack_url=await servers.enter_async_context(serve(world.slack)),
            )
            yield world
