from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Incident, ToolResult
from watchkeeper.demo.world import World
from watchkeeper.tool import ToolCall
from watchkeeper.tool_calling.catalogue import discover_tools
from watchkeeper.tool_calling.execution import run_tool

TOOLS = discover_tools()


@dataclass
class ToolHarness:
    """Runs tools against simulated back ends."""

    world: World
    settings: Settings
    http: AsyncClient
    workflow_id: str | None = None
    incident: Incident | None = None
    """What the workflow sends with a call that pages."""

    @property
    def at(self) -> datetime:
        return datetime.fromtimestamp(self.world.scenario.started_at, UTC)

    def set(self, **tables: dict[str, Any]) -> None:
        """Change keys in tables of the settings."""
        old = self.settings
        changed = {name: getattr(old, name).model_copy(update=keys) for name, keys in tables.items()}
        self.settings = old.model_copy(update=changed)

    def set_service(self, service: str, **keys: Any) -> None:
        services = self.settings.services
        changed = {**services, service: services[service].model_copy(update=keys)}
        self.settings = self.settings.model_copy(update={"services": changed})

    async def call(self, tool: str, *, attempt: int = 1, run_id: str = "run-1", **arguments: Any) -> ToolResult:
        call = ToolCall(run=run_id, key="r1.0", arguments=json.dumps(arguments), workflow_id=self.workflow_id)
        if self.incident is not None:
            call = call.model_copy(update={"incident": self.incident})
        return await run_tool(TOOLS[tool], call, settings=self.settings, http=self.http, at=self.at, attempt=attempt)

    async def ok(self, tool: str, **arguments: Any) -> dict[str, Any]:
        return await self._content("ok", tool, **arguments)

    async def error(self, tool: str, **arguments: Any) -> str:
        return str((await self._content("error", tool, **arguments))["error"])

    async def _content(self, status: str, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.call(tool, **arguments)
        assert result.status == status, result.content
        content = json.loads(result.content)
        assert isinstance(content, dict)
        return content


@pytest.fixture
async def harness() -> AsyncIterator[ToolHarness]:
    async with World.running() as world, AsyncClient(timeout=5) as http:
        urls = world.urls
        services = {
            name: {"team": name, "github": f"acme/{name}", "environment": "production"} for name in world.routing_keys
        }
        services["search"]["argocd"] = "search"
        settings = build_settings(
            services=services,
            teams={team: {"routing_key": key} for team, key in world.routing_keys.items()},
            prometheus={"url": urls.prometheus_url},
            loki={"url": urls.loki_url},
            github={"url": urls.github_url, "token": world.github_token},
            argocd={"url": urls.argocd_url, "token": world.argocd_token},
            pagerduty={
                "events_url": urls.pagerduty_events_url,
                "api_url": urls.pagerduty_api_url,
                "api_token": world.pagerduty_token,
            },
        )
        yield ToolHarness(world, settings, http)
