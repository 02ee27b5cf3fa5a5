"""Check that texts are in plain English: ``python -m tests.support.language [FILE ...]``; without files, all.

The words to avoid, and what to write instead, are the table of ``docs/style.md``. Documentation is checked as a whole.
In Python files the check reads comments, docstrings and every other text that has a space in it.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import DOCS, ROOT

SKIPPED = ("docs/style.md", "tests/", "watchkeeper/incident/vocabulary/")
"""Not checked: the list itself, the tests, whose data is written by other people, and the words that models write."""

EXCEPTIONS = re.compile(r"`[^`]*`|\bwords (?:apart|per)\b|^patience =|\bFind out what is going on\b")
"""What is right: code in backticks, and some uses of these words."""


def substitutions() -> dict[str, str]:
    """Return what to write instead of each phrase to avoid, as ``docs/style.md`` lists them."""
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (DOCS / "style.md").read_text(), flags=re.MULTILINE)
    phrases = {phrase.strip(): instead for cell, instead in rows[1:] for phrase in cell.split(",")}
    return {phrase.partition(" (")[0]: instead for phrase, instead in phrases.items()}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the texts of a file that people read, each with its line number."""
    source = path.read_text()
    if path.suffix != ".py":
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value.strip():
            yield from enumerate(node.value.splitlines(), node.lineno)


def findings(path: Path) -> Iterator[str]:
    """Yield a message for each phrase to avoid in a file."""
    instead = substitutions()
    avoided = re.compile(rf"\b({'|'.join(sorted(map(re.escape, instead), key=len, reverse=True))})\b", re.IGNORECASE)
    for line, text in texts(path):
        for match in avoided.finditer(EXCEPTIONS.sub("", text)):
            yield f"{path.relative_to(ROOT)}:{line}: {match[0]!r}: write {instead[match[0].lower()]!r}"


def files(names: list[str]) -> list[Path]:
    """Return the files to check: those named, else all that git tracks."""
    tracked = (
        names
        or subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    )
    checked = [name for name in tracked if name.endswith((".py", ".md")) and not name.startswith(SKIPPED)]
    return [ROOT / name for name in checked if (ROOT / name).is_file()]


if __name__ == "__main__":
    found = [finding for path in files(sys.argv[1:]) for finding in findings(path)]
    sys.exit("\n".join(found) or None)
