"""The settings and the tool in the README work."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from watchkeeper.config.settings import Settings
from watchkeeper.tool_calling.catalogue import discover_tools

README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def settings() -> Settings:
    tables = tomllib.loads("\n".join(blocks("toml")))
    tables["sources"]["prometheus"]["tokens"] = ["as the variable that the text names"]
    return Settings(**tables)


def test_the_settings_are_valid() -> None:
    assert settings().catalogue == {"service": ["checkout", "search"], "team": ["discovery", "payments"]}


def test_the_tool_is_found_when_its_file_is_dropped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shown,) = blocks("python")
    package = tmp_path / "dropped"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "get_status_page.py").write_text(shown)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    try:
        (found,) = discover_tools("dropped").values()
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "dropped"]:
            del sys.modules[name]
    assert found.spec(settings()).parameters["properties"]["service"]["enum"] == ["checkout", "search"]


def test_the_files_it_names_exist() -> None:
    root = ROOT
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", README)) | set(re.findall(r"\]\(([\w/.]+)\)", README))
    assert named
    assert [name for name in sorted(named) if not (root / name).exists()] == []
