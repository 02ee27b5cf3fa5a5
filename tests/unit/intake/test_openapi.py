"""The intake behaves as its OpenAPI document says. Schemathesis searches for differences."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.harness import run_harness, until_waiting
from tests.support.intake_harness import TOKEN, running_intake, settings
from watchkeeper.runs.dispatch import dispatch_alerts
from watchkeeper.testing.scripts import calls

CONFIGURATION = """
[parameters]
"path.source" = "open"
"path.run" = "%s"

[[operations]]
include-path-regex = "/alerts/.*"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400"]
checks.negative_data_rejection.enabled = false

[[operations]]
include-path-regex = "/runs$"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "409"]
"""
"""The document describes neither the payloads of the vendors nor the names in the catalogue of the workers."""


@pytest.mark.timeout(110)
async def test_schemathesis_finds_nothing(client: Client, tmp_path: Path) -> None:
    async with run_harness(client, lambda request: calls(("restart", {"service": "checkout"}))) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        (tmp_path / "schemathesis.toml").write_text(CONFIGURATION % run.id)
        chosen = settings(worker={"task_queue": harness.settings.worker.task_queue})
        async with running_intake(client, dispatch_alerts, chosen) as http:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "schemathesis.cli", "run", str(http.base_url.join("/openapi.json"))),
                *("--checks", "all", "--max-examples", "8", "--seed", "1", "--phases", "coverage,fuzzing"),
                *("--header", f"Authorization: Bearer {TOKEN}"),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "13 selected / 13 total" in output.decode()
