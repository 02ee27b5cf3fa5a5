"""Our services of the production file, run against a Temporal server without PostgreSQL."""

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
from tests.end_to_end.compose.services import Stack, run_stack
from tests.support.paths import ROOT
from watchkeeper.demo.alert import notification
from watchkeeper.temporal.ports import free_port

pytestmark = pytest.mark.timeout(180)

OUR_SERVICES = ("secrets", "temporal-namespace", "worker", "intake")
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
    """Write the example settings with closed addresses, because a test must not call other services."""
    closed_address = f"http://127.0.0.1:{free_port()}"
    example = (ROOT / "examples" / "production.toml").read_text()
    pagerduty = f'\n[pagerduty]\nevents_url = "{closed_address}"\napi_url = "{closed_address}"\n'
    github = f'[github]\nurl = "{closed_address}"\n'
    file = tmp_path_factory.mktemp("settings") / "watchkeeper.toml"
    closed_example = re.sub(r'^(base_url|url) = ".*"', rf'\1 = "{closed_address}"', example, flags=re.MULTILINE)
    file.write_text(closed_example + pagerduty + github)
    return file


@pytest.fixture(scope="module")
async def stack(
    tokens: Path, settings: Path, client: Client, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    variables = {
        "WATCHKEEPER_IMAGE": "watchkeeper:1.2.3",
        "WATCHKEEPER_SECRETS": str(tokens),
        "WATCHKEEPER_TOML": str(settings),
        "TEMPORAL_NAMESPACE": NAMESPACE,
        "TEMPORAL_RETENTION": "3d",
    }
    production = config(PRODUCTION, **variables)
    our_services = {name: production["services"][name] for name in OUR_SERVICES}
    our_services["temporal-namespace"]["depends_on"] = {}
    port = int(client.service_client.config.target_host.rpartition(":")[2])
    async with run_stack(
        {**production, "services": our_services}, tmp_path_factory.mktemp("production"), {"temporal:7233": port}
    ) as stack:
        yield stack


async def test_the_namespace_exists_before_the_worker_starts(stack: Stack) -> None:
    ready = stack.started["temporal-namespace"].ready_at
    assert ready <= stack.started["worker"].started_at
    assert ready <= stack.started["intake"].started_at
    described = temporal(stack, "operator", "namespace", "describe", "--namespace", NAMESPACE, "--output", "json")
    assert json.loads(described)["config"]["workflowExecutionRetentionTtl"] == "259200s"


async def test_an_alert_is_accepted_only_with_the_token_of_its_source(stack: Stack, tokens: Path) -> None:
    address = f"http://127.0.0.1:{stack.port(8080)}/alerts/prometheus"
    good = (tokens / "WATCHKEEPER_SOURCES__PROMETHEUS__TOKENS").read_text().strip()
    other = (tokens / "WATCHKEEPER_INTAKE__TOKENS__OPERATOR").read_text().strip()
    alert = notification(datetime.now(UTC))
    async with httpx2.AsyncClient() as http:
        refused = await http.post(address, json=alert, headers={"authorization": f"Bearer {other}"})
        accepted = await http.post(address, json=alert, headers={"authorization": f"Bearer {good}"})
    assert (refused.status_code, accepted.status_code) == (401, 200)
    run: dict[str, Any] = accepted.json()["runs"][0]
    shown = temporal(stack, "workflow", "describe", "--namespace", NAMESPACE, "--workflow-id", run["run"])
    assert "IncidentWorkflow" in shown


async def test_the_services_start_again_when_the_namespace_exists(stack: Stack) -> None:
    await stack.down()
    stack.started.clear()
    await stack.up()
    assert await stack.is_healthy("worker")
    assert await stack.is_healthy("intake")


def test_the_shell_accepts_the_scripts_in_the_file() -> None:
    services = config(PRODUCTION, **REQUIRED)["services"]
    scripts = {name: service["command"][0] for name, service in services.items() if service["entrypoint"] == SHELL}
    assert set(scripts) == {"secrets", "temporal-schema", "temporal", "temporal-namespace"}
    for script in scripts.values():
        output = subprocess.run(
            ["/bin/sh", "-n"], input=script, capture_output=True, text=True, timeout=10, check=False
        )
        assert (output.returncode, output.stderr) == (0, "")


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        ("whole", ""),
        ("directory", "the file of the secret WATCHKEEPER_MODEL__API_KEY is missing\n"),
        ("empty", "the file of the secret WATCHKEEPER_MODEL__API_KEY is empty\n"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named(tmp_path: Path, state: str, fault: str) -> None:
    service = config(PRODUCTION, **REQUIRED)["services"]["secrets"]
    for secret in service["secrets"]:
        (tmp_path / secret["source"]).write_text("secret")
    key = tmp_path / "WATCHKEEPER_MODEL__API_KEY"
    key.unlink()
    if state == "directory":
        key.mkdir()
    else:
        key.write_text("secret" if state == "whole" else "")
    script = service["command"][0].replace("/run/secrets", str(tmp_path))
    output = subprocess.run([*SHELL, script], capture_output=True, text=True, timeout=10, check=False)
    assert (output.returncode, output.stderr) == (int(bool(fault)), fault)


def temporal(stack: Stack, *arguments: str) -> str:
    """Run the Temporal CLI; return its output."""
    process = subprocess.run(
        [stack.directory / "bin" / "temporal", *arguments, "--address", f"127.0.0.1:{stack.port(7233)}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
