"""Every command that the documentation shows is done by a test, or stands here with the reason why it is not."""

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

from tests.end_to_end.docs.commands import pages, shown
from tests.support.paths import ROOT
from watchkeeper.cli.command_line import app

Node: TypeAlias = TyperGroup | TyperCommand

UNTRIED = {
    "curl --data @body.json": "a part of a command; tests/unit/alerts posts the bodies of all senders",
    "amtool check-config": "said of a file that stands in examples/alertmanager.yml, with its whole command",
}
"""What is not done, and why."""

FOREIGN = {
    "aws": "needs an account",
    "docker": "needs a daemon; tests/end_to_end/compose has Compose read what is typed, and looks through the image",
}
"""Programs whose commands are not done, and why."""

ELSEWHERE = {
    "watchkeeper": "tests/end_to_end/docs/test_tour.py",
    "export": "tests/end_to_end/docs/test_tour.py",
    "amtool": "tests/end_to_end/docs/test_monitoring.py",
    "promtool": "tests/end_to_end/docs/test_monitoring.py",
    "openssl": "tests/end_to_end/docs/test_monitoring.py",
    "temporal": "tests/end_to_end/docs/test_ui_page.py",
}
"""Programs whose commands another module does, which fails for one that it does not know."""


def of(program: str) -> list[str]:
    return [command for command in shown() if command.split()[0] == program]


def test_every_command_belongs_to_a_test() -> None:
    known = {*ELSEWHERE, *FOREIGN, "make", "pytest"}
    strange = [
        (command, where)
        for command, where in shown().items()
        if Path(command.split()[0]).name not in known and command not in UNTRIED
    ]
    assert strange == [], "try them in a test, or say above why nobody does"
    assert UNTRIED.keys() <= shown().keys(), "these are shown no more"
    assert FOREIGN.keys() <= {command.split()[0] for command in shown()}, "these are shown no more"


@pytest.mark.parametrize("command", of("make"))
def test_make_targets_exist_and_have_commands(command: str) -> None:
    """They set up an environment of their own, and most take minutes, so they are not done but planned."""
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    target = shlex.split(command)[1:]
    planned = subprocess.run([make, "--dry-run", *target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.strip(), f"{command} does nothing"


@pytest.mark.slow
@pytest.mark.parametrize("command", of("pytest"))
def test_test_selections_are_not_empty(command: str) -> None:
    """Their tests are done with all others; here it is seen that there are any."""
    collect = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", *shlex.split(command)[1:]]
    collected = subprocess.run(collect, cwd=ROOT, capture_output=True, text=True, check=False, env=_surroundings())
    assert collected.returncode == 0, collected.stdout
    for path in re.findall(r"tests/[\w/.]+", command):
        assert f"\n{path}" in f"\n{collected.stdout}", f"nothing of {path} is selected"


def test_options_exist() -> None:
    wrong = []
    for command in shown():
        words = shlex.split(command)
        if Path(words[0]).name == "watchkeeper":
            node, at = _resolved(words[1:])
            if node is None:
                wrong.append(f"{command}: there is no such command")
                continue
            wrong += [f"{command}: no {word}" for word in words[at:] if word.startswith("-") and not _has(node, word)]
    assert wrong == []


def test_options_named_without_a_command_exist() -> None:
    every = [option for command in _commands(_root()) for option in _options(command)]
    named = {
        option
        for page in pages()
        if page.suffix == ".md" and page.name not in ("bench.md", "deploying.md")  # of pytest, and of Docker
        for option in re.findall(r"`(--[a-z-]+)[^`]*`", page.read_text())
    }
    assert named, "there is one in the README"
    assert sorted(named - set(every)) == []


def _root() -> TyperGroup:
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    return root


def _children(node: Node) -> dict[str, Node]:
    """The commands of a group, by their names; a command has none."""
    if not isinstance(node, TyperGroup):
        return {}
    return {name: child for name, child in node.commands.items() if isinstance(child, TyperGroup | TyperCommand)}


def _resolved(words: list[str]) -> tuple[Node | None, int]:
    """Find the command that words name, and where its own words begin."""
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


def _surroundings() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
