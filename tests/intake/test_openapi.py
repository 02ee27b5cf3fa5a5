"""What the OpenAPI document says is what the intake does: schemathesis looks for where it is not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.intake.taking import TOKEN, settings, taking_in
from tests.stage import staged
from watchkeeper.admission import admit
from watchkeeper.demo.turns import says

CONFIGURATION = """
[[operations]]
include-path-regex = "/alerts/.*"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "401", "404"]
checks.negative_data_rejection.enabled = false
"""
"""What is well-formed there is a matter of the source, which the document does not know."""


@pytest.mark.timeout(110)
async def test_schemathesis_finds_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    async with staged(client, lambda request: says("All is well.")) as stage:
        chosen = settings(worker={"task_queue": stage.settings.worker.task_queue})
        async with taking_in(client, admit, chosen) as http:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "schemathesis.cli", "run", f"{http.base_url}openapi.json"),
                *("--checks", "all", "--max-examples", "10", "--seed", "1", "--workers", "2"),
                *("--phases", "examples,coverage,fuzzing", "--header", f"Authorization: Bearer {TOKEN}"),
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
