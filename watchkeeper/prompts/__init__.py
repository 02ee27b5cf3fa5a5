"""The prompts, one file each."""

from __future__ import annotations

from importlib.resources import files


def prompt(name: str) -> str:
    """Return the text of ``NAME.md`` in this package."""
    return (files(__name__) / f"{name}.md").read_text(encoding="utf-8").strip()
