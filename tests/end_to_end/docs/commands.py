"""The commands that the documentation shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer.main

from tests.support.paths import ROOT
from watchkeeper.cli.command_line import app

PROGRAMS = ("watchkeeper", "make", "pytest", "amtool", "promtool", "temporal", "docker", "curl", "openssl", "aws")
"""Programs whose commands are found within a line. In a block every command is found."""

SUBCOMMANDS = {str(name) for name in getattr(typer.main.get_command(app), "commands", {})}
"""The commands of ``watchkeeper``."""

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
_INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_INDENTED = re.compile(rf"^ {{4,}}((?:{'|'.join(PROGRAMS)}) .+)$", re.M)
_COMMENTED = re.compile(rf"^ *#.*: ((?:{'|'.join(PROGRAMS)}) .+)$", re.M)


def pages() -> list[Path]:
    """Return the files that show commands."""
    docs = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [*docs, *sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())]


def documented_commands() -> dict[str, list[str]]:
    """Return each command with the names of the pages that show it."""
    found: dict[str, list[str]] = {}
    for page in pages():
        text = page.read_text()
        for command in _page_commands(text) if page.suffix == ".md" else _COMMENTED.findall(text):
            found.setdefault(command, []).append(str(page.relative_to(ROOT)))
    return found


def blocks(page: Path) -> list[list[str]]:
    """Return the commands of each ``console`` block of a page."""
    return [
        list(_prompt_commands(block)) for language, block in _FENCE.findall(page.read_text()) if language == "console"
    ]


def _page_commands(text: str) -> Iterator[str]:
    for language, block in _FENCE.findall(text):
        if language == "console":
            yield from _prompt_commands(block)
    yield from (" ".join(command.split()) for command in _INDENTED.findall(_FENCE.sub("", text)))
    for line in re.split(r"\n(?=\n|[-|#\d])", _FENCE.sub("", text)):
        yield from _inline_commands(line)


def _prompt_commands(block: str) -> Iterator[str]:
    """Yield the command after each prompt, with its continuation lines and without its comment."""
    for typed in re.findall(r"^ *\$ ((?:.*\\\n)*.*)", block, re.M):
        yield re.sub(r" {2,}# .*", "", re.sub(r" *\\\n *", " ", typed)).strip()


def _inline_commands(line: str) -> Iterator[str]:
    """Yield the commands within a line. ``watchkeeper`` may be left out before a subcommand with arguments."""
    program = ""
    for code in _INLINE.findall(line):
        words = code.split()
        if words[0] in PROGRAMS:
            program = words[0]
            yield " ".join(words)
        elif words[0] in SUBCOMMANDS and (len(words) > 1 or (program == "watchkeeper" and line.startswith("|"))):
            yield " ".join(["watchkeeper", *words])
