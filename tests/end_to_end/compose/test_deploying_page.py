"""What `docs/deploying.md` tells people to type is right."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.end_to_end.compose.compose_config import DEMO, PRODUCTION, REQUIRED, compose, config
from tests.support.paths import ROOT

DOC = (ROOT / "docs" / "deploying.md").read_text()
COMMANDS = re.findall(r"^ +(docker compose .+)$", DOC, re.MULTILINE)


def test_there_are_commands() -> None:
    assert len(COMMANDS) > 8
    assert any("--file" not in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_compose_understands_each_command(command: str) -> None:
    words = shlex.split(command.partition(" > ")[0])[2:]
    file = PRODUCTION if "--file" in words else DEMO
    given = words[4:] if file == PRODUCTION else words
    if file == PRODUCTION:
        assert words[:4] == ["--file", PRODUCTION, "--env-file", "production.env"]
    services = config(file, **(REQUIRED if file == PRODUCTION else {}))["services"]
    assert _named(given) <= set(services), command
    # Compose refuses a flag that it does not know before it helps with the others.
    said = compose(file, *_own(given), "--help", **REQUIRED)
    assert said.code == 0, said.err
    assert f"docker compose {given[0]}" in said.out + said.err


def test_compose_would_refuse_a_flag_that_is_not_there() -> None:
    assert compose(DEMO, "up", "--detached", "--help").code != 0


def test_every_variable_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:TEMPORAL|WATCHKEEPER|INTAKE)_[A-Z_]+?)`", DOC))
    known = {name for one in (DEMO, PRODUCTION) for name in re.findall(r"\$\{(\w+)", (ROOT / one).read_text())}
    secrets = set(config(PRODUCTION, **REQUIRED)["secrets"])
    ours = {"WATCHKEEPER_SECRETS_DIR", "WATCHKEEPER_SLACK__TOKEN", "TEMPORAL_API_KEY"}
    assert named <= known | secrets | ours


def test_it_names_every_secret() -> None:
    for name in config(PRODUCTION, **REQUIRED)["secrets"]:
        assert f"| `{name}` |" in DOC


def _own(given: list[str]) -> list[str]:
    """The words that are for Compose: those up to the service in which something is run."""
    if given[0] not in ("exec", "run"):
        return given
    service = next(n for n, word in enumerate(given) if n and not word.startswith("-"))
    return given[:service]


def _named(given: list[str]) -> set[str]:
    """The services that a command names."""
    words = [word.partition("=")[0] for word in given[1:] if not word.startswith("-")]
    return set(words[:1] if given[0] in ("exec", "run") else words)
