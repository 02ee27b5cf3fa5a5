"""A stage whose worker tells of itself, as the environment wants it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from tests.stage import KEY, Effects, Stage, settings_for
from watchkeeper.demo.model import ScriptedModel
from watchkeeper.demo.turns import Script, Turn
from watchkeeper.telemetry.telemetry import Telemetry, telemetry
from worker import working


@asynccontextmanager
async def observed(
    client: Client, script: Script | Sequence[Turn], **settings: Any
) -> AsyncIterator[tuple[Stage, Telemetry]]:
    """Set a stage whose model plays a script; further arguments are settings."""
    effects, model = Effects(), ScriptedModel(script, key=KEY)
    async with model.serving() as base_url:
        chosen = settings_for(base_url, **settings)
        async with (
            telemetry(chosen, os.environ) as told,
            working(client, chosen, tools=effects.tools, telemetry=told) as worker,
        ):
            yield Stage(client, chosen, worker, model, effects), told
