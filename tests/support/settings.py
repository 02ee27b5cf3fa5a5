"""The settings that tests run with, built in one place."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from watchkeeper.config.settings import Settings
from watchkeeper.demo.world import World

KEY = "harness-key"
"""The key of the scripted model."""

UNUSED = "http://unused"
"""Base URL of a model that the test never asks."""


def build_settings(base_url: str = UNUSED, **tables: Any) -> Settings:
    """Build the settings of a worker with its own task queue.

    The tables ``model`` and ``worker`` update these defaults. Every other table replaces its default.
    """
    defaults: dict[str, Any] = {
        "model": {"base_url": base_url, "name": "scripted", "api_key": KEY},
        "worker": {"task_queue": f"test-{uuid4().hex[:8]}", "shutdown_seconds": 2},
        "services": {"checkout": {"team": "checkout"}, "payments": {"team": "payments"}},
    }
    updated = {name: {**defaults[name], **tables.get(name, {})} for name in ("model", "worker")}
    return Settings.model_validate({**defaults, **tables, **updated})


def paging_tables(world: World, **reports: Any) -> dict[str, Any]:
    """Tables with which the simulated PagerDuty pages people."""
    return {
        "teams": {team: {"routing_key": key} for team, key in world.routing_keys.items()},
        "pagerduty": {"events_url": world.urls.pagerduty_events_url, "api_url": world.urls.pagerduty_api_url},
        "reports": reports,
    }
