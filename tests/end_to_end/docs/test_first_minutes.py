"""The README's first commands work in its order in an empty directory."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path

import pytest

from tests.end_to_end.docs.commands import blocks
from tests.support.paths import ROOT
from tests.support.program import Program, Running
from watchkeeper.config.settings import env_variable
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.scripted_model import ScriptedModel

pytestmark = pytest.mark.timeout(240)


def first_commands() -> list[str]:
    """Return what the README shows from the model's settings to the first run."""
    commands = [command for block in blocks(ROOT / "README.md") for command in block]
    start = next(index for index, command in enumerate(commands) if command.startswith("export "))
    end = next(index for index, command in enumerate(commands) if index > start and " run " in command)
    return commands[start : end + 1]


async def test_the_first_commands_work_in_an_empty_folder(tmp_path: Path) -> None:
    ports = {"--temporal-port": free_port(), "--ui-port": free_port()}
    options = [word for name, port in ports.items() for word in (name, str(port))]
    program = Program(tmp_path)
    environment: dict[str, str] = {}
    dev: Running | None = None
    async with ScriptedModel(on_call_engineer).serve() as url:
        for command in first_commands():
            name, _, value = command.removeprefix("export ").partition("=")
            if command.startswith("export "):
                environment[name] = url if name == env_variable("model", "base_url") else value
                continue
            arguments = shlex.split(command)
            assert Path(arguments[0]).name == "watchkeeper", command
            match arguments[1]:
                case "dev":
                    dev = await program.begin("dev", *options, "--intake-port", str(free_port()), **environment)
                    output = await dev.says("Ctrl-C ends it")
                    assert "no worker" not in output and "warning" not in output
                case "run":
                    environment_of_run = {"TEMPORAL_ADDRESS": f"127.0.0.1:{ports['--temporal-port']}"}
                    ended = await program(*arguments[1:], **environment_of_run)
                    assert (ended.code, "concluded" in ended.out) == (0, True), ended
                case "demo":
                    ended = await program(*arguments[1:], *options, **environment)
                    assert (ended.code, "concluded" in ended.out) == (0, True), ended
                case _:
                    ended = await program(*arguments[1:], **environment)
                    assert ended.code == 0, f"{command}: {ended.err}"
        assert dev is not None, "the README starts a server before the first run"
        dev.send(signal.SIGINT)
        assert (await dev.end()).code == 0
