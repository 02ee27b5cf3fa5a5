"""The production file on a real engine, as far as its images can be had."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.compose.compose_config import PRODUCTION, REQUIRED, config
from tests.end_to_end.containers.engine import START_SECONDS, Project, engine_name, project, wait_until
from tests.support.paths import ROOT

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

IMAGE = "localhost/watchkeeper:test"
KEY = "WATCHKEEPER_MODEL__API_KEY"


@pytest.fixture(scope="module")
def variables(
    engine: dict[str, str], images: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    name = engine_name()
    assert name
    base = images.get("PYTHON_IMAGE", "python:3.12-slim")
    command = [name, "build", "--build-arg", f"PYTHON_IMAGE={base}", "--tag", IMAGE, str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stderr
    directory = tmp_path_factory.mktemp("secrets")
    for secret in config(PRODUCTION, **REQUIRED)["secrets"]:
        (directory / secret).write_text(secrets.token_hex(16) + "\n")
        (directory / secret).chmod(0o444)
    settings = tmp_path_factory.mktemp("settings") / "watchkeeper.toml"
    example = (ROOT / "examples" / "production.toml").read_text()
    settings.write_text(re.sub(r'^(base_url|url) = ".*"', r'\1 = "http://127.0.0.1:9"', example, flags=re.MULTILINE))
    settings.chmod(0o444)
    return {
        **engine,
        **images,
        "WATCHKEEPER_IMAGE": IMAGE,
        "WATCHKEEPER_SECRETS": str(directory),
        "WATCHKEEPER_TOML": str(settings),
    }


@pytest.fixture(scope="module")
def production(variables: dict[str, str]) -> Iterator[Project]:
    with project(PRODUCTION, "watchkeeper-test", variables) as production:
        yield production


def test_a_missing_secret_stops_everything_before_it_starts(production: Project, tmp_path: Path) -> None:
    for secret in Path(production.variables["WATCHKEEPER_SECRETS"]).iterdir():
        if secret.name != KEY:
            (tmp_path / secret.name).write_bytes(secret.read_bytes())
            (tmp_path / secret.name).chmod(0o444)
    tmp_path.chmod(0o755)
    with project(
        PRODUCTION, "watchkeeper-missing", {**production.variables, "WATCHKEEPER_SECRETS": str(tmp_path)}
    ) as p:
        done = p.run("up", "--detach", seconds=START_SECONDS)
        assert done.returncode != 0
        assert KEY in done.stderr + done.stdout + p.run("logs", "--no-color", "secrets").stdout
        started = {str(container["Service"]) for container in p.containers() if container["State"] != "created"}
        assert started <= {"secrets"}


def test_production_starts_in_order_and_is_healthy(production: Project) -> None:
    production.output("up", "--detach", seconds=START_SECONDS)
    wait_until(production.are_healthy, 180, "a container is not healthy")
    running = {str(container["Service"]) for container in production.containers() if container["State"] == "running"}
    assert running == {"postgres", "temporal", "temporal-ui", "worker", "intake"}


@pytest.mark.parametrize("service", ["worker", "intake", "temporal", "postgres"])
def test_every_container_starts_again_after_its_death(production: Project, service: str) -> None:
    production.kill_processes(service)
    wait_until(production.are_healthy, 120, f"{service} did not come back")


def test_nothing_alarms_at_the_first_start(production: Project) -> None:
    logs = production.output("logs", "--no-color", "worker", "intake", "temporal-namespace")
    for noise in ("no worker has polled", "invalid search attribute", "unable to describe namespace", "Traceback"):
        assert noise not in logs
