"""The tests of ``watchkeeper check``. A back end that a tool reads is tested with that tool."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx2
from temporalio.service import RPCError

from watchkeeper.backend import send
from watchkeeper.cli.command_runner import GlobalOptions, connect_client, error_message
from watchkeeper.config.openai_variables import key_source, missing_key
from watchkeeper.config.settings import ModelProfile, ServiceSettings, Settings, SettingsError, env_variable
from watchkeeper.console import typed_command, with_typed_commands
from watchkeeper.contracts import JsonObject
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.error_body import parse_json
from watchkeeper.llm.errors import ModelError
from watchkeeper.redaction import public_address
from watchkeeper.runs import start_options
from watchkeeper.slack.client import SlackClient
from watchkeeper.temporal.client import TemporalError
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import count, excerpt
from watchkeeper.tool import Tool, ToolCall, ToolDefinitionError, ToolError, ToolUnavailable
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
from watchkeeper.tool_calling.execution import run_tool

if TYPE_CHECKING:
    from watchkeeper.llm.client import ModelClient

REQUEST_SECONDS = 15.0
CONCURRENT_CALLS = 8
_DETAIL_BYTES = 500


@dataclass(frozen=True)
class CheckResult:
    """The result of one test. ``detail`` says what works, or what fails and how to fix it."""

    name: str
    ok: bool
    detail: str


async def check_connections(options: GlobalOptions) -> AsyncIterator[CheckResult]:
    """Test everything, in the order in which a person fixes it."""
    try:
        settings = options.settings()
    except SettingsError as error:
        yield CheckResult("configuration", False, str(error))
        yield await _temporal(None)
        return
    services, teams = settings.catalogue["service"], settings.catalogue["team"]
    yield CheckResult("configuration", True, f"{count(len(services), 'service')}, {count(len(teams), 'team')}")
    if (problem := start_options.default_cost_problem(settings)) is not None:
        yield CheckResult("limits", False, problem)
    try:
        tools = discover_tools()
        build_catalogue(tools, settings)
        yield CheckResult("tools", True, ", ".join(tools))
    except ToolDefinitionError as error:
        tools = {}
        yield CheckResult("tools", False, str(error))
    yield await _temporal(settings)
    async with LimitedClient(timeout=REQUEST_SECONDS, seconds=REQUEST_SECONDS) as http:
        for profile in settings.profiles:
            yield await _model(profile)
        for name, tool, tables, is_configured in _BACK_ENDS:
            services = [name for name, service in settings.services.items() if is_configured(settings, service)]
            if services and tool in tools:
                yield await _back_end(name, tools[tool], tables, services, settings, http)
        if settings.catalogue["team"] or settings.pagerduty.api_token:
            yield await _pagerduty(http, settings)
    if settings.slack.token is not None:
        yield await _slack(settings)


async def _temporal(settings: Settings | None) -> CheckResult:
    try:
        client = await connect_client()
        address = f"{client.service_client.config.target_host}, namespace {client.namespace!r}"
        if settings is None:
            return CheckResult("Temporal", True, address)
        queue = settings.worker.task_queue
        polled = await has_worker(client, queue)
    except (TemporalError, RPCError) as error:
        return CheckResult("Temporal", False, with_typed_commands(error_message(error)))
    poller = "a worker polls" if polled else f"no worker polls (start one: {typed_command('worker')})"
    return CheckResult("Temporal", True, f"{address}; {poller} the task queue {queue!r}")


async def _model(profile: ModelProfile) -> CheckResult:
    """Look for the model in the list of its host. If it is not listed there, ask it a short question."""
    from watchkeeper.llm.client import ModelClient

    model = f"{profile.name} at {profile.base_url}{_connection(profile)}"
    if not profile.has_key:
        return CheckResult("model", False, f"{model}: {missing_key(profile, os.environ)}")
    try:
        client = ModelClient(profile)
    except SettingsError as error:
        return CheckResult("model", False, str(error))
    try:
        card = await _model_card(client)
        if card is None:
            await _ask(client)
            return CheckResult("model", True, f"{model} (it answered a question)")
    except ModelError as error:
        text = excerpt(str(error), _DETAIL_BYTES)
        return CheckResult("model", False, f"{model}: {text}; {_model_remedy(profile, error)}")
    finally:
        await client.close()
    window = _window(card)
    if window is not None and window < profile.context_tokens:
        text = f"its context window has {window:,} tokens, not {profile.context_tokens:,}"
        return CheckResult("model", False, f"{model}: {text}; set context_tokens = {window}")
    return CheckResult("model", True, model)


def _connection(profile: ModelProfile) -> str:
    """Return how a host is reached, where that differs from a key in the settings."""
    facts: list[str] = []
    if profile.api_version is not None:
        facts.append(f"deployment {profile.deployment or profile.name}, api_version {profile.api_version}")
    if (source := key_source(profile, os.environ)) != "api_key":
        facts.append(f"key of {source}")
    if profile.proxy is not None:
        facts.append(f"through the proxy {public_address(profile.proxy)}")
    files = {"CA": profile.ca_file, "client certificate": profile.client_cert_file}
    facts += [f"{name} of {path}" for name, path in files.items() if path is not None]
    return f" ({'; '.join(facts)})" if facts else ""


_CONNECTION_REMEDIES = {
    "CERTIFICATE_VERIFY_FAILED": "set ca_file to the CA certificates that the host or the proxy uses",
    "CERTIFICATE_REQUIRED": "set client_cert_file and client_key_file",
    "ProxyError": "check the proxy, with its user and password: proxy, or HTTPS_PROXY",
}
"""What to do about an error of the connection, by a part of its text."""


def _model_remedy(profile: ModelProfile, error: ModelError) -> str:
    if error.reason == "auth":
        source = key_source(profile, os.environ)
        return f"set {env_variable('model', 'api_key')}" if source == "api_key" else f"check the key of {source}"
    found = (remedy for part, remedy in _CONNECTION_REMEDIES.items() if part in str(error).replace(" ", "_"))
    return next(found, "see the [model] settings")


async def _model_card(client: ModelClient) -> JsonObject | None:
    """Return what the host's list of models says about a model; None if it does not list it.

    Azure's classic API lists the models of a region instead of the deployments.
    """
    if client.profile.api_version is not None:
        return None
    try:
        listed = parse_json(await client.models())
    except (ModelError, ValueError):
        return None  # some hosts do not list their models; a question shows what is wrong
    data = listed.get("data") if isinstance(listed, dict) else None
    cards = data if isinstance(data, list) else []
    return next((card for card in cards if isinstance(card, dict) and card.get("id") == client.profile.name), None)


_WINDOW_FIELDS = ("max_model_len", "context_length", "context_window", "max_context_length")
"""Where hosts say how many tokens a model reads: vLLM; OpenRouter, Moonshot and Together; Groq; Mistral."""


def _window(card: JsonObject) -> int | None:
    found = (card.get(name) for name in _WINDOW_FIELDS)
    return next((value for value in found if isinstance(value, int) and value > 0), None)


async def _ask(client: ModelClient) -> None:
    # Without a limit of the completion, because hosts differ in the field for it.
    profile = client.profile
    question = {"model": profile.name, "messages": [{"role": "user", "content": "Say ok."}], **profile.extra_body}
    if profile.stream:
        question["stream"] = True
    await client.complete(canonical_json(question), stream=profile.stream)


_BACK_ENDS: list[tuple[str, str, str, Callable[[Settings, ServiceSettings], bool]]] = [
    ("Prometheus", "get_service_health", "[prometheus]", lambda settings, _: settings.prometheus.url is not None),
    ("Loki", "search_logs", "[loki]", lambda settings, _: settings.loki.url is not None),
    (
        "deploys",
        "get_deploys",
        "[github] and [argocd]",
        lambda settings, service: bool(service.github or service.argocd),
    ),
]
"""The name of a test, the tool that it calls, its tables of settings, and whether a service has them."""

_ARGUMENTS: Mapping[str, JsonObject] = {"search_logs": {"query": "", "minutes": 5}}


async def _back_end(
    name: str, tool: Tool[Any], tables: str, services: list[str], settings: Settings, http: httpx2.AsyncClient
) -> CheckResult:
    """Call a tool for every service, as the model would."""
    slots = asyncio.Semaphore(CONCURRENT_CALLS)

    async def problem(service: str) -> str | None:
        arguments = canonical_json({"service": service, **_ARGUMENTS.get(tool.name, {})}).decode()
        call = ToolCall(run="check", key="check", arguments=arguments)
        try:
            async with slots:
                result = await run_tool(tool, call, settings=settings, http=http, at=datetime.now(UTC), attempt=1)
        except ToolUnavailable as error:
            return f"{service}: {excerpt(str(error), _DETAIL_BYTES)}; see the {tables} settings"
        unknown = '"status":"unknown"' in result.content
        return f"{service}: {excerpt(result.content, _DETAIL_BYTES)}" if result.status != "ok" or unknown else None

    problems = [problem for problem in await asyncio.gather(*map(problem, services)) if problem]
    if not problems:
        return CheckResult(name, True, f"answers for {count(len(services), 'service')}")
    others = f" (and {count(len(problems) - 1, 'other service')})" if len(problems) > 1 else ""
    return CheckResult(name, False, f"{problems[0]}{others}")


async def _pagerduty(http: httpx2.AsyncClient, settings: Settings) -> CheckResult:
    """Test without paging a person: which teams can be paged, and whether the REST token is valid."""
    pagerduty, teams = settings.pagerduty, settings.catalogue["team"]
    if unpaged := [team for team in teams if settings.routing_key(team) is None]:
        remedy = "set WATCHKEEPER_TEAMS__NAME__ROUTING_KEY or WATCHKEEPER_PAGERDUTY__ROUTING_KEY"
        return CheckResult("PagerDuty", False, f"these teams cannot be paged: {', '.join(unpaged)}; {remedy}")
    try:
        await http.get(pagerduty.events_url)
        if pagerduty.api_token is not None:
            headers = {
                "Authorization": f"Token token={pagerduty.api_token.get_secret_value()}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            }
            await send(http, "GET", f"{pagerduty.api_url}/incidents", params={"limit": 1}, headers=headers)
    except (ToolError, ToolUnavailable) as error:
        return CheckResult("PagerDuty", False, _excerpt(error, settings))
    except httpx2.HTTPError as error:
        return CheckResult("PagerDuty", False, f"{pagerduty.events_url} is out of reach: {_excerpt(error, settings)}")
    notes = [f"{count(len(teams), 'team')} can be paged"]
    if settings.on_call(None) is None:
        notes.append("set reports.team, or the hand-off of a run without a service pages no person")
    if not pagerduty.api_token:
        notes.append("set pagerduty.api_token, or reports have no incident numbers")
    return CheckResult("PagerDuty", True, "; ".join(notes))


async def _slack(settings: Settings) -> CheckResult:
    """Test without posting: whether the token is valid, and what it may do."""
    try:
        team, scopes = await SlackClient(settings.slack).scopes()
    except (ToolError, ToolUnavailable) as error:
        return CheckResult("Slack", False, f"{_excerpt(error, settings)}; set WATCHKEEPER_SLACK__TOKEN")
    if scopes and "chat:write" not in scopes:
        return CheckResult("Slack", False, "the app may not post; add the scope chat:write and install it again")
    notes = [f"may post in the workspace {team!r}"]
    if scopes and not scopes & {"channels:history", "groups:history"}:
        notes.append("without channels:history (groups:history for a private channel) a message may be posted twice")
    if settings.slack.channel is None and not any(team.slack_channel for team in settings.teams.values()):
        notes.append("no channel is set, so nothing is posted; set slack.channel")
    return CheckResult("Slack", True, "; ".join(notes))


def _excerpt(error: Exception, settings: Settings) -> str:
    return excerpt(settings.redactor.text(str(error)), _DETAIL_BYTES)
