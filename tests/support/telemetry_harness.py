"""A harness whose worker has telemetry, configured by the test's environment."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client

from tests.support.harness import Effects, Harness
from tests.support.settings import KEY, build_settings
from watchkeeper.telemetry.setup import Telemetry, telemetry
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import Script, ScriptedReply
from worker import run_worker


@asynccontextmanager
async def telemetry_harness(
    client: Client, script: Script | Sequence[ScriptedReply], **settings: Any
) -> AsyncIterator[tuple[Harness, Telemetry]]:
    """Run a harness with telemetry. Other arguments are settings tables."""
    effects, model = Effects(), ScriptedModel(script, key=KEY)
    async with model.serve() as base_url:
        chosen = build_settings(base_url, **settings)
        async with (
            telemetry(chosen, os.environ) as process,
            run_worker(client, chosen, tools=effects.tools, telemetry=process) as worker,
        ):
            yield Harness(client, chosen, worker, model, effects), process
