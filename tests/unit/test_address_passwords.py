"""A password in an address is used, and never printed or recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.program import Program
from tests.support.settings import build_settings
from watchkeeper.alerts.builder import make_alert
from watchkeeper.config.settings import ModelProfile
from watchkeeper.incident.run_address import run_address
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.errors import ModelError
from watchkeeper.redaction import PLACEHOLDER, Redactor, public_address

PASSWORDS = ("hunter2secret", "p@ss:word", "p%40ss%2Fword", "geheimnis-ü")


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("user", ["ada", ""])
def test_a_text_with_an_address_has_no_password(user: str, password: str) -> None:
    text = f"GET https://{user}:{password}@host.example:8443/a?b=c#d failed; see redis://{user}:{password}@cache/0"
    assert Redactor(()).text(text) == (
        f"GET https://{PLACEHOLDER}@host.example:8443/a?b=c#d failed; see redis://{PLACEHOLDER}@cache/0"
    )
    assert public_address(text) == "GET https://host.example:8443/a?b=c#d failed; see redis://cache/0"


@pytest.mark.parametrize(
    "text",
    [
        "ssh://git@github.example/acme/checkout",
        "http://host:8080/a@b",
        "https://host.example/?q=a:b@c",
        "mail ada@example.com, see https://host.example",
    ],
)
def test_an_address_without_a_password_is_unchanged(text: str) -> None:
    assert Redactor(()).text(text) == text


def test_a_token_in_place_of_the_user_is_a_secret() -> None:
    assert Redactor(()).text("https://0123456789abcdef0123@host/x") == f"https://{PLACEHOLDER}@host/x"


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize(
    "tables",
    [
        {"model": {"base_url": "@"}},
        {"prometheus": {"url": "@"}},
        {"loki": {"url": "@"}},
        {"github": {"url": "@"}},
        {"argocd": {"url": "@"}},
        {"slack": {"url": "@"}},
        {"pagerduty": {"events_url": "@", "api_url": "@"}},
        {"reports": {"webhook_url": "@"}},
        {"tools": {"mine": {"place": "@"}}},
    ],
    ids=str,
)
def test_a_password_in_any_setting_is_a_secret(tables: dict[str, object], password: str) -> None:
    address = f"https://ada:{password}@host.example"
    settings = build_settings(**json.loads(json.dumps(tables).replace('"@"', json.dumps(address))))
    assert password in settings.secrets
    assert password not in settings.redactor.text(f"it said: {password}")


async def test_the_error_of_a_model_host_names_no_password() -> None:
    client = ModelClient(ModelProfile.model_validate({"base_url": "http://ada:hunter2secret@127.0.0.1:1/v1"}))
    with pytest.raises(ModelError) as failed:
        await client.complete(b"{}")
    await client.close()
    assert "no answer from http://127.0.0.1:1/v1" in str(failed.value)
    assert "hunter2secret" not in str(failed.value)


@pytest.mark.parametrize("command", [("check",), ("run", "Why?"), ("worker",), ("dev", "--temporal-port", "1")])
async def test_commands_print_no_password(tmp_path: Path, command: tuple[str, ...]) -> None:
    program, place = Program(tmp_path), "http://ada:hunter2secret@127.0.0.1:1"
    lines = [
        f'model.base_url = "{place}/v1"',
        f'prometheus.url = "{place}"',
        f'loki.url = "{place}"',
        "[services.a]",
        "team = 'a'",
    ]
    (program.directory / "watchkeeper.toml").write_text("\n".join(lines))
    ended = await program(*command)
    assert ended.code != 0
    assert "hunter2secret" not in ended.out + ended.err
    assert command != ("check",) or "127.0.0.1:1" in ended.out


def test_links_that_people_open_have_no_password() -> None:
    assert run_address("https://ada:hunter2secret@ui.example/{run}", "a/b", "1") == "https://ui.example/a%2Fb"
    alert = make_alert(
        "prom",
        now=0.0,
        group="g",
        fingerprint="f",
        episode=None,
        status="firing",
        title="T",
        links={"source": "https://ada:hunter2secret@prom.example/graph"},
    )
    assert alert.links == {}
