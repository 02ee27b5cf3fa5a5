"""The commands that the documentation shows, as they stand there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer.main

from tests.support.paths import ROOT
from watchkeeper.cli.command_line import app

PROGRAMS = ("watchkeeper", "make", "pytest", "amtool", "promtool", "temporal", "docker", "curl", "openssl", "aws")
"""What a command begins with, where it stands within a line; a block shows whatever it likes."""

OURS = {str(name) for name in getattr(typer.main.get_command(app), "commands", {})}
"""The names of our own commands."""

_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
_WITHIN = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
_INDENTED = re.compile(rf"^ {{4,}}((?:{'|'.join(PROGRAMS)}) .+)$", re.M)
_COMMENTED = re.compile(rf"^ *#.*: ((?:{'|'.join(PROGRAMS)}) .+)$", re.M)


def pages() -> list[Path]:
    """Return everything that tells people what to type."""
    docs = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [*docs, *sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file())]


def shown() -> dict[str, list[str]]:
    """Return each command with the names of the pages that show it."""
    found: dict[str, list[str]] = {}
    for page in pages():
        text = page.read_text()
        for command in _on_page(text) if page.suffix == ".md" else _COMMENTED.findall(text):
            found.setdefault(command, []).append(str(page.relative_to(ROOT)))
    return found


def blocks(page: Path) -> list[list[str]]:
    """Return the commands of each ``console`` block of a page."""
    return [list(_typed(block)) for language, block in _FENCE.findall(page.read_text()) if language == "console"]


def _on_page(text: str) -> Iterator[str]:
    for language, block in _FENCE.findall(text):
        if language == "console":
            yield from _typed(block)
    yield from (" ".join(command.split()) for command in _INDENTED.findall(_FENCE.sub("", text)))
    for line in re.split(r"\n(?=\n|[-|#\d])", _FENCE.sub("", text)):
        yield from _within(line)


def _typed(block: str) -> Iterator[str]:
    """Give what follows each prompt, whole where it goes on in the next line, and without what is said of it."""
    for typed in re.findall(r"^ *\$ ((?:.*\\\n)*.*)", block, re.M):
        yield re.sub(r" {2,}# .*", "", re.sub(r" *\\\n *", " ", typed)).strip()


def _within(line: str) -> Iterator[str]:
    """Give the commands within a line; of ours the program may be left out, where something stands behind the name."""
    program = ""
    for code in _WITHIN.findall(line):
        words = code.split()
        if words[0] in PROGRAMS:
            program = words[0]
            yield " ".join(words)
        elif words[0] in OURS and (len(words) > 1 or (program == "watchkeeper" and line.startswith("|"))):
            yield " ".join(["watchkeeper", *words])
