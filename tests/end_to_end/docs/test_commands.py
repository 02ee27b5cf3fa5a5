"""Every command in the documentation is run by a test or listed here with the reason."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TypeAlias

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

from tests.end_to_end.docs.commands import documented_commands, pages
from tests.support.paths import ROOT
from watchkeeper.cli.command_line import app

Node: TypeAlias = TyperGroup | TyperCommand

NOT_RUN = {
    "curl --data @body.json": "part of a command; tests/unit/alerts posts the bodies of all senders",
    "amtool check-config": "part of a command in examples/alertmanager.yml, which is run in full",
}
"""Commands that no test runs, and why."""

EXTERNAL = {
    "aws": "needs an account",
    "docker": "needs a daemon; tests/end_to_end/compose checks the commands with Compose, and the image",
}
"""Programs whose commands no test runs, and why."""

TESTED_IN = {
    "watchkeeper": "tests/end_to_end/docs/test_tour.py",
    "export": "tests/end_to_end/docs/test_tour.py",
    "amtool": "tests/end_to_end/docs/test_monitoring.py",
    "promtool": "tests/end_to_end/docs/test_monitoring.py",
    "openssl": "tests/end_to_end/docs/test_monitoring.py",
    "temporal": "tests/end_to_end/docs/test_ui_page.py",
}
"""Programs whose commands another module runs. That module fails for a command that it does not know."""


def commands_of(program: str) -> list[str]:
    return [command for command in documented_commands() if command.split()[0] == program]


def test_every_command_belongs_to_a_test() -> None:
    tested_programs = {*TESTED_IN, *EXTERNAL, "make", "pytest"}
    untested = [
        (command, files)
        for command, files in documented_commands().items()
        if Path(command.split()[0]).name not in tested_programs and command not in NOT_RUN
    ]
    assert untested == [], "run them in a test, or list them above with the reason"
    assert NOT_RUN.keys() <= documented_commands().keys(), "the documentation no longer shows these"
    assert EXTERNAL.keys() <= {command.split()[0] for command in documented_commands()}, (
        "the documentation no longer shows these"
    )


@pytest.mark.parametrize("command", commands_of("make"))
def test_make_targets_exist_and_have_commands(command: str) -> None:
    """The targets create their own environment and most take minutes, so this is only a dry run."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    target = shlex.split(command)[1:]
    planned = subprocess.run([make, "--dry-run", *target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.strip(), f"{command} does nothing"


@pytest.mark.slow
@pytest.mark.parametrize("command", commands_of("pytest"))
def test_test_selections_are_not_empty(command: str) -> None:
    """The tests run with all others; this test only checks that the selection is not empty."""
    collect = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *shlex.split(command)[1:]]
    collected = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=False, env=_environment())
    assert collected.returncode == 0, collected.stdout
    for path in re.findall(r"tests/[\w/.]+", command):
        assert f"\n{path}" in f"\n{collected.stdout}", f"no test of {path} is selected"


def test_options_exist() -> None:
    wrong = []
    for command in documented_commands():
        words = shlex.split(command)
        if Path(words[0]).name == "watchkeeper":
            node, at = _resolved(words[1:])
            if node is None:
                wrong.append(f"{command}: there is no such command")
                continue
            wrong += [f"{command}: no {word}" for word in words[at:] if word.startswith("-") and not _has(node, word)]
    assert wrong == []


def test_options_named_without_a_command_exist() -> None:
    options = [option for command in _commands(_root()) for option in _options(command)]
    option_names = {
        option
        for page in pages()
        if page.suffix == ".md" and page.name not in ("bench.md", "deploying.md")  # options of pytest and of Docker
        for option in re.findall(r"`(--[a-z-]+)[^`]*`", page.read_text())
    }
    assert option_names, "the README names one"
    assert sorted(option_names - set(options)) == []


def _root() -> TyperGroup:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return root


def _children(node: Node) -> dict[str, Node]:
    """Return the commands of a group by name; a command has none."""
    if not isinstance(node, TyperGroup):
        return {}
    return {name: child for name, child in node.commands.items() if isinstance(child, TyperGroup | TyperCommand)}


def _resolved(words: list[str]) -> tuple[Node | None, int]:
    """Return the command that the words name, and the index of its first argument."""
    node: Node | None = _root()
    at = 0
    while isinstance(node, TyperGroup) and at < len(words) and not words[at].startswith("-"):
        node, at = _children(node).get(words[at]), at + 1
    return node, at


def _commands(node: Node) -> list[Node]:
    return [node, *(found for child in _children(node).values() for found in _commands(child))]


def _options(node: Node) -> list[str]:
    return [option for parameter in node.params for option in (*parameter.opts, *parameter.secondary_opts)]


def _has(node: Node, word: str) -> bool:
    return word.partition("=")[0] in _options(node)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
