"""``tools`` and ``check``: the tool catalogue as the model receives it, and a test of every configured connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.program import Ended, Program
from tests.support.raw_host import raw_host
from watchkeeper.config.settings import ModelProfile
from watchkeeper.demo.demo_settings import settings_for
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.demo.world import World
from watchkeeper.temporal.ports import HOST
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools, encode_tools

KEY = "model-key"


def configure(program: Program, world: World, model: str, **changes: Any) -> None:
    """Write settings for the simulated services; a change replaces a key such as loki__url, or removes it if None."""
    urls = world.urls
    keys: dict[str, Any] = {
        "model__base_url": model,
        "model__api_key": KEY,
        "services__checkout__team": "checkout",
        "services__checkout__github": "acme/checkout",
        "services__search__team": "search",
        "services__search__argocd": "search",
        "prometheus__url": urls.prometheus_url,
        "loki__url": urls.loki_url,
        "github__url": urls.github_url,
        "argocd__url": urls.argocd_url,
        "argocd__token": world.argocd_token,
        "pagerduty__events_url": urls.pagerduty_events_url,
        "pagerduty__api_url": urls.pagerduty_api_url,
        "pagerduty__api_token": world.pagerduty_token,
        "pagerduty__routing_key": "x" * 32,
        **changes,
    }
    lines = [f"{key.replace('__', '.')} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
    (program.directory / "watchkeeper.toml").write_text("\n".join(lines))


def check_results(ended: Ended) -> dict[str, tuple[bool, str]]:
    """Return for each check whether it passed, and its message."""
    assert "Traceback" not in ended.out + ended.err
    found: dict[str, tuple[bool, str]] = {}
    for line in ended.out.splitlines():
        mark, check, detail = line.split(maxsplit=2)
        found[check] = (mark == "✓", detail)
    return found


async def test_the_printed_catalogue_is_the_one_sent_to_the_model(program: Program, world: World) -> None:
    configure(program, world, "http://unused/v1")
    ended = await program("tools", "--json")
    settings = settings_for(world, [ModelProfile()])
    few = settings.model_copy(update={"services": {k: v for k, v in settings.services.items() if k != "payments"}})
    few = few.model_copy(update={"teams": {}})
    assert ended.out.encode() == encode_tools(build_catalogue(discover_tools(), few)) + b"\n"
    table = (await program("tools")).out
    for name in ("get_deploys", "get_service_health", "page_engineer", "search_logs"):
        assert name in table
    assert "keyed" in table


async def test_a_complete_setup_passes_every_check(program: Program, world: World) -> None:
    async with ScriptedModel(on_call_engineer, key=KEY).serve() as url:
        configure(program, world, url)
        ended = await program("check")
    found = check_results(ended)
    assert ended.code == 0, ended.out
    assert found.keys() == {"configuration", "tools", "Temporal", "model", "Prometheus", "Loki", "deploys", "PagerDuty"}
    assert "no worker polls" in found["Temporal"][1]
    assert world.pages.events == [], "a check paged a person"


@pytest.mark.parametrize("field", ["max_model_len", "context_length", "context_window", "max_context_length"])
async def test_a_context_window_above_that_of_the_model_is_found(program: Program, world: World, field: str) -> None:
    async with ScriptedModel(on_call_engineer, key=KEY, card={field: 16_384}).serve() as url:
        configure(program, world, url)
        found = check_results(await program("check"))
        configure(program, world, url, model__context_tokens=16_384)
        corrected = check_results(await program("check"))
    assert found["model"][0] is False
    assert found["model"][1].endswith("its context window has 16,384 tokens, not 262,144; set context_tokens = 16384")
    assert corrected["model"][0] is True


async def test_variables_of_openai_are_checked(program: Program, world: World) -> None:
    async with ScriptedModel(on_call_engineer, key=KEY).serve() as url:
        configure(program, world, url, model__base_url=None, model__api_key=None)
        ended = await program("check", OPENAI_BASE_URL=url, OPENAI_API_KEY=KEY)
        other = await program("check", OPENAI_API_KEY=KEY)
    found = check_results(ended)["model"]
    assert found == (True, f"moonshotai-kimi-k2-6 at {url} (key of OPENAI_API_KEY)")
    ok, message = check_results(other)["model"]
    assert not ok
    assert "OPENAI_API_KEY is not sent to this default host" in message


async def test_azure_is_checked_with_a_question_to_the_deployment(program: Program, world: World) -> None:
    async with raw_host() as host:
        azure = {"model__base_url": f"http://{HOST}:{host.port}", "model__api_version": "2024-10-21"}
        configure(program, world, "", **azure, model__deployment="kimi")
        found = check_results(await program("check"))["model"]
    assert found[0], found
    assert "(deployment kimi, api_version 2024-10-21) (it answered a question)" in found[1]
    assert [host.line()] == ["POST /openai/deployments/kimi/chat/completions?api-version=2024-10-21 HTTP/1.1"]


@pytest.mark.parametrize(
    ("scopes", "token", "channel", "ok", "message"),
    [
        ({"chat:write", "channels:history"}, None, "C0INCIDENTS", True, "may post in the workspace 'Acme'"),
        ({"chat:write"}, None, "C0INCIDENTS", True, "without channels:history"),
        ({"chat:write", "channels:history"}, None, None, True, "no channel is set"),
        ({"channels:history"}, None, "C0INCIDENTS", False, "add the scope chat:write"),
        ({"chat:write"}, "xoxb-another-token", "C0INCIDENTS", False, "invalid_auth; set WATCHKEEPER_SLACK__TOKEN"),
    ],
)
async def test_slack_is_checked_without_a_post(
    program: Program, world: World, scopes: set[str], token: str | None, channel: str | None, ok: bool, message: str
) -> None:
    world.channels.scopes = scopes
    slack = {"slack__url": world.urls.slack_url, "slack__token": token or world.slack_token, "slack__channel": channel}
    configure(program, world, "http://127.0.0.1:1/v1", **slack)
    found = check_results(await program("check"))["Slack"]
    assert (found[0], message in found[1]) == (ok, True), found
    assert world.channels.posts == []


@pytest.mark.parametrize(
    ("check", "change", "message"),
    [
        ("model", {"model__api_key": "wrong"}, "WATCHKEEPER_MODEL__API_KEY"),
        ("model", {"model__api_key": None}, "no API key"),
        ("model", {"model__name": "gpt-0"}, "gpt-0"),
        (
            "model",
            {"model__api_key": None, "model__api_key_file": "/no/such/key"},
            "api_key_file '/no/such/key' cannot be read: No such file or directory",
        ),
        ("model", {"model__api_key": None, "model__api_key_command": ["echo", "wrong"]}, "the key of api_key_command"),
        ("model", {"model__proxy": "http://127.0.0.1:1"}, "(through the proxy http://127.0.0.1:1)"),
        ("model", {"model__ca_file": "/no/such/ca.pem"}, "ca_file of the model"),
        ("model", {"model__base_url": "http://127.0.0.1:1/v1"}, "127.0.0.1:1"),
        ("limits", {"limits__cost": 2.5}, "limits.cost = 2.5 needs the prices of every model"),
        ("Prometheus", {"prometheus__url": "http://127.0.0.1:1"}, "see the [prometheus] settings"),
        ("Prometheus", {"prometheus__requests_metric": "no_such_metric"}, "no_such_metric"),
        ("Loki", {"loki__url": "http://127.0.0.1:1"}, "see the [loki] settings"),
        ("deploys", {"services__checkout__github": "acme/nothing"}, "404"),
        ("deploys", {"argocd__token": "wrong"}, "401"),
        ("PagerDuty", {"pagerduty__api_token": "wrong"}, "401"),
        (
            "PagerDuty",
            {"pagerduty__routing_key": None},
            "these teams cannot be paged: checkout, search; set WATCHKEEPER_TEAMS__NAME__ROUTING_KEY",
        ),
        ("PagerDuty", {"pagerduty__events_url": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    ],
)
async def test_a_failed_check_names_the_cause_and_the_remedy(
    program: Program, world: World, check: str, change: dict[str, Any], message: str
) -> None:
    async with ScriptedModel(on_call_engineer, key=KEY, models=["moonshotai-kimi-k2-6"]).serve() as url:
        configure(program, world, url, **change)
        ended = await program("check")
    found = check_results(ended)
    assert ended.code == 1
    assert [name for name, (ok, _) in found.items() if not ok] == [check]
    assert message in found[check][1]


async def test_a_hand_off_that_would_page_no_one_is_reported(program: Program, world: World) -> None:
    keys = {f"teams__{team}__routing_key": "x" * 32 for team in ("checkout", "search")}
    async with ScriptedModel(on_call_engineer, key=KEY).serve() as url:
        configure(program, world, url, pagerduty__routing_key=None, **keys)
        ended = await program("check")
    ok, message = check_results(ended)["PagerDuty"]
    assert ok
    assert "set reports.team, or the hand-off of a run without a service pages no person" in message


async def test_only_what_is_configured_is_checked(program: Program) -> None:
    async with ScriptedModel(on_call_engineer, key=KEY).serve() as url:
        (program.directory / "watchkeeper.toml").write_text(
            f"[model]\nbase_url = '{url}'\n[services.checkout]\nteam = 'a'\n[teams.a]\nrouting_key = '{'k' * 32}'\n"
            "[pagerduty]\nevents_url = 'http://127.0.0.1:1'"
        )
        ended = await program("check", WATCHKEEPER_MODEL__API_KEY=KEY)
    assert check_results(ended).keys() == {"configuration", "tools", "Temporal", "model", "PagerDuty"}


async def test_broken_settings_and_an_unreachable_server_are_failed_checks(program: Program) -> None:
    (program.directory / "watchkeeper.toml").write_text("[model")
    ended = await program("check", TEMPORAL_ADDRESS="127.0.0.1:1")
    found = check_results(ended)
    assert (ended.code, found["configuration"][0], found["Temporal"][0]) == (1, False, False)
    assert "not valid TOML" in found["configuration"][1]
