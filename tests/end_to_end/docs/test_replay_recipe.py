"""The CI job and the replay tests in ``examples/`` work."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from temporalio.client import Client
from typer.main import get_command

from tests.support.cli_desk import address_of
from tests.support.code_edits import BREAKING, copy
from tests.support.harness import run_harness
from tests.support.paths import EXAMPLES, HISTORIES
from tests.support.program import Program
from watchkeeper.cli.command_line import app
from watchkeeper.testing.scripts import says


def job() -> Any:
    return yaml.safe_load((EXAMPLES / "github-replay.yml").read_text())["jobs"]["replay"]


def commands() -> list[str]:
    """Return the ``watchkeeper`` commands of the job."""
    lines = [line.strip() for step in job()["steps"] for line in step.get("run", "").splitlines()]
    return [line for line in lines if line.startswith("watchkeeper ")]


def test_the_job_runs_before_a_deploy_with_read_permission_only() -> None:
    recipe = yaml.safe_load((EXAMPLES / "github-replay.yml").read_text())
    assert recipe["permissions"] == {"contents": "read"}
    assert set(recipe[True]) == {"pull_request", "workflow_call"}, "YAML reads the key `on` as true"
    assert job()["timeout-minutes"] > 0


def test_the_job_uploads_nothing_and_prints_no_secret() -> None:
    text = (EXAMPLES / "github-replay.yml").read_text()
    assert not re.search("upload|artifact|history export|echo|cat ", text.replace("nothing is written or uploaded", ""))
    secret = [name for name, value in job()["env"].items() if "secrets." in value]
    assert secret == ["TEMPORAL_API_KEY"]
    assert {*job()["env"]} == {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_API_KEY"}


def test_its_commands_exist() -> None:
    subcommands = get_command(app).commands  # type: ignore[attr-defined]
    assert len(commands()) == 2
    for line in commands():
        _, name, option, *_ = line.split()
        assert option in [spelling for parameter in subcommands[name].params for spelling in parameter.opts]


async def test_its_commands_run(client: Client, tmp_path: Path) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        await (await harness.start()).result()
        query = f"TaskQueue = '{harness.settings.worker.task_queue}'"
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client)})
    for line in commands():
        narrowed = line.replace("--open", f'--open --from-server "{query}"')
        command = narrowed.replace('server "Close', f'server "{query} AND Close')
        ended = await program.python("-c", SHELL, command)
        assert (ended.code, ended.err) == (0, "")
        assert re.fullmatch(r"\d+ histor(y|ies) replayed, 0 broken\n", ended.out)


SHELL = """
import os, subprocess, sys
line = sys.argv[1].replace("watchkeeper ", f"{sys.executable} -m watchkeeper.cli.main ", 1)
sys.exit(subprocess.run(["sh", "-c", line], env=os.environ).returncode)
"""


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "edited"])
async def test_the_tests_of_the_page_pass_and_fail_with_the_reason(tmp_path: Path, broken: bool) -> None:
    shutil.copy(EXAMPLES / "test_replays.py", tmp_path)
    (tmp_path / "histories").mkdir()
    for name in ("concluded", "approval-expired"):
        shutil.copy(HISTORIES / f"{name}.json", tmp_path / "histories")
    copy(tmp_path / "code")
    if broken:
        BREAKING["a removed timer"].edit.apply(tmp_path / "code")
    program = Program(tmp_path, {"PYTHONPATH": str(tmp_path / "code")})
    ended = await program.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_replays.py")
    if not broken:
        assert (ended.code, "2 passed" in ended.out) == (0, True), ended.out
        return
    assert (ended.code, "1 failed, 1 passed" in ended.out) == (1, True), ended.out
    assert "[approval-expired]" in ended.out
    assert ", TimerStarted: the history starts a timer there, this code does not" in ended.out
