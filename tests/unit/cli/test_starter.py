"""``init`` writes settings that work as they are and with every comment removed."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.program import Program
from watchkeeper.cli.starter import starter_settings
from watchkeeper.config.settings import Settings


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def test_the_starter_settings_are_valid() -> None:
    settings = Settings(**tomllib.loads(starter_settings()))
    assert settings.catalogue == {"service": ["checkout"], "team": ["payments"]}


def test_each_comment_of_the_starter_is_a_valid_setting() -> None:
    tables = tomllib.loads(re.sub(r"(?m)^# (?=\[|[a-z_]+ = )", "", starter_settings()))
    tables["sources"]["prometheus"]["tokens"] = ["from the environment"]
    assert tables.keys() == {"model", "services", "prometheus", "loki", "argocd", "limits", "sources", "reports"}
    assert Settings(**tables).services["checkout"].github == "acme/checkout"


async def test_init_writes_the_file_once(program: Program) -> None:
    ended = await program("init")
    assert (ended.code, ended.out.startswith("watchkeeper.toml: written")) == (0, True)
    file = program.directory / "watchkeeper.toml"
    assert file.read_text() == starter_settings()
    file.write_text("# edited")
    refused = await program("init")
    assert (refused.code, file.read_text()) == (2, "# edited")
    assert "watchkeeper.toml exists already" in refused.sentence()


async def test_init_names_a_file_that_cannot_be_written(program: Program) -> None:
    refused = await program("init", "missing/settings.toml")
    assert (refused.code, "cannot write missing/settings.toml" in refused.sentence()) == (1, True)
