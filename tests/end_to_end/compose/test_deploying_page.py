"""The commands and variables in `docs/deploying.md` are right."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.end_to_end.compose.compose_config import DEMO, PRODUCTION, REQUIRED, compose, config
from tests.support.paths import ROOT

DOC = (ROOT / "docs" / "deploying.md").read_text()
COMMANDS = re.findall(r"^ +(docker compose .+)$", DOC, re.MULTILINE)


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) > 8
    assert any("--file" not in command for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_compose_understands_each_command(command: str) -> None:
    arguments = shlex.split(command.partition(" > ")[0])[2:]
    file = PRODUCTION if "--file" in arguments else DEMO
    compose_arguments = arguments[4:] if file == PRODUCTION else arguments
    if file == PRODUCTION:
        assert arguments[:4] == ["--file", PRODUCTION, "--env-file", "production.env"]
    services = config(file, **(REQUIRED if file == PRODUCTION else {}))["services"]
    assert _named_services(compose_arguments) <= set(services), command
    # Compose rejects an unknown flag before it prints the help text.
    output = compose(file, *_for_compose(compose_arguments), "--help", **REQUIRED)
    assert output.code == 0, output.err
    assert f"docker compose {compose_arguments[0]}" in output.out + output.err


def test_compose_rejects_an_unknown_flag() -> None:
    assert compose(DEMO, "up", "--detached", "--help").code != 0


def test_every_variable_on_the_page_exists() -> None:
    named = set(re.findall(r"`((?:TEMPORAL|WATCHKEEPER|INTAKE)_[A-Z_]+?)`", DOC))
    defined = {name for file in (DEMO, PRODUCTION) for name in re.findall(r"\$\{(\w+)", (ROOT / file).read_text())}
    secrets = set(config(PRODUCTION, **REQUIRED)["secrets"])
    our_services = {"WATCHKEEPER_SECRETS_DIR", "WATCHKEEPER_SLACK__TOKEN", "TEMPORAL_API_KEY"}
    our_services |= {"WATCHKEEPER_WORKER__TASK_QUEUE"}
    assert named <= defined | secrets | our_services


def test_the_page_names_every_secret() -> None:
    for name in config(PRODUCTION, **REQUIRED)["secrets"]:
        assert f"| `{name}` |" in DOC


def _for_compose(compose_arguments: list[str]) -> list[str]:
    """Return the arguments for Compose: all before the service in which a command runs."""
    if compose_arguments[0] not in ("exec", "run"):
        return compose_arguments
    service = next(n for n, word in enumerate(compose_arguments) if n and not word.startswith("-"))
    return compose_arguments[:service]


def _named_services(compose_arguments: list[str]) -> set[str]:
    """Return the services that a command names."""
    arguments = [word.partition("=")[0] for word in compose_arguments[1:] if not word.startswith("-")]
    return set(arguments[:1] if compose_arguments[0] in ("exec", "run") else arguments)
