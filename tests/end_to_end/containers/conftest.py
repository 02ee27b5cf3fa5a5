"""The engine, its free ports, and the images that a run of `make compose` uses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.containers.engine import engine_host, engine_name
from watchkeeper.temporal.ports import free_port

STAND_INS = Path(__file__).with_name("stand_ins")
STAND_IN_IMAGES = {
    "TEMPORAL_IMAGE": "temporal",
    "TEMPORAL_SERVER_IMAGE": "temporal",
    "TEMPORAL_TOOLS_IMAGE": "temporal",
    "TEMPORAL_UI_IMAGE": "temporal",
    "POSTGRES_IMAGE": "postgres",
}


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables for Compose: the engine, and free ports of this machine."""
    if engine_name() is None:
        pytest.skip("neither docker nor podman is installed")
    ports = {name: str(free_port()) for name in ("TEMPORAL_PORT", "TEMPORAL_UI_PORT", "INTAKE_PORT")}
    with engine_host(tmp_path_factory.mktemp("engine")) as host:
        yield {**host, **ports}


@pytest.fixture(scope="session")
def images(engine: dict[str, str]) -> dict[str, str]:
    """Images by variable. STAND_INS=1 builds those of Temporal and PostgreSQL that no variable names."""
    found = {name: os.environ[name] for name in (*STAND_IN_IMAGES, "PYTHON_IMAGE") if name in os.environ}
    if os.environ.get("STAND_INS"):
        for variable, kind in STAND_IN_IMAGES.items():
            found.setdefault(variable, _build(kind, found.get("PYTHON_IMAGE", "python:3.12-slim")))
    return found


def _build(kind: str, base: str) -> str:
    image = f"localhost/watchkeeper-stand-in-{kind}"
    engine = engine_name()
    assert engine
    command = [engine, "build", "--build-arg", f"PYTHON_IMAGE={base}", "--tag", image, str(STAND_INS / kind)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return image
