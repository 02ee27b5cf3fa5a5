"""What production runs of ours, started for real beside a Temporal server that is there: only PostgreSQL is not."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from tests.end_to_end.compose.compose_config import PRODUCTION, REQUIRED, config
from tests.end_to_end.compose.services import Stack, standing
from tests.support.paths import ROOT
from watchkeeper.demo.alert import notification
from watchkeeper.temporal.ports import free_port

pytestmark = pytest.mark.timeout(180)

OURS = ("temporal-namespace", "worker", "intake")
SHELL = ["sh", "-euc"]
NAMESPACE = f"production-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    for name in config(PRODUCTION, **REQUIRED)["secrets"]:
        (directory / name).write_text(secrets.token_hex(16) + "\n")
    return directory


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example of settings, with nobody behind its addresses: a test must not call anybody."""
    nobody = f"http://127.0.0.1:{free_port()}"
    example = (ROOT / "examples" / "production.toml").read_text()
    pager = f'\n[pagerduty]\nevents_url = "{nobody}"\napi_url = "{nobody}"\n[github]\nurl = "{nobody}"\n'
    written = tmp_path_factory.mktemp("settings") / "watchkeeper.toml"
    written.write_text(re.sub(r'^(base_url|url) = ".*"', rf'\1 = "{nobody}"', example, flags=re.MULTILINE) + pager)
    return written


@pytest.fixture(scope="module")
async def stack(
    tokens: Path, settings: Path, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    told = {
        "WATCHKEEPER_IMAGE": "watchkeeper:1.2.3",
        "WATCHKEEPER_SECRETS": str(tokens),
        "WATCHKEEPER_TOML": str(settings),
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_RETENTION": "3d",
    }
    whole = config(PRODUCTION, **told)
    ours = {name: whole["services"][name] for name in OURS}
    ours["temporal-namespace"]["depends_on"] = {}
    port = int(client.service_client.config.target_host.rpartition(":")[2])
    async with standing(
        {**whole, "services": ours}, tmp_path_factory.mktemp("production"), {"temporal:7233": port}
    ) as stack:
        yield stack


async def test_the_namespace_is_there_before_the_worker_starts(stack: Stack) -> None:
    ready = stack.started["temporal-namespace"].ready
    assert ready <= stack.started["worker"].began
    assert ready <= stack.started["intake"].began
    described = temporal(stack, "operator", "namespace", "describe", "--namespace", NAMESPACE, "--output", "json")
    assert json.loads(described)["config"]["workflowExecutionRetentionTtl"] == "259200s"


async def test_an_alert_is_taken_from_who_has_the_secret_and_from_nobody_else(stack: Stack, tokens: Path) -> None:
    address = f"http://127.0.0.1:{stack.port(8080)}/alerts/prometheus"
    good = (tokens / "WATCHKEEPER_SOURCES__PROMETHEUS__TOKENS").read_text().strip()
    other = (tokens / "WATCHKEEPER_INTAKE__TOKENS__OPERATOR").read_text().strip()
    alert = notification(datetime.now(UTC))
    async with httpx2.AsyncClient() as http:
        refused = await http.post(address, json=alert, headers={"authorization": f"Bearer {other}"})
        taken = await http.post(address, json=alert, headers={"authorization": f"Bearer {good}"})
    assert (refused.status_code, taken.status_code) == (401, 200)
    run: dict[str, Any] = taken.json()["runs"][0]
    shown = temporal(stack, "workflow", "describe", "--namespace", NAMESPACE, "--workflow-id", run["run"])
    assert "IncidentWorkflow" in shown


async def test_it_starts_again_where_everything_is_there(stack: Stack) -> None:
    await stack.down()
    stack.started.clear()
    await stack.up()
    assert await stack.is_healthy("worker")
    assert await stack.is_healthy("intake")


def test_the_scripts_in_the_file_are_ones_that_a_shell_can_read() -> None:
    services = config(PRODUCTION, **REQUIRED)["services"]
    scripts = {name: service["command"][0] for name, service in services.items() if service["entrypoint"] == SHELL}
    assert set(scripts) == {"temporal-schema", "temporal", "temporal-namespace"}
    for script in scripts.values():
        said = subprocess.run(["/bin/sh", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False)
        assert (said.returncode, said.stderr) == (0, "")


def temporal(stack: Stack, *arguments: str) -> str:
    """What the Temporal CLI says."""
    done = subprocess.run(
        [stack.directory / "bin" / "temporal", *arguments, "--address", f"127.0.0.1:{stack.port(7233)}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
