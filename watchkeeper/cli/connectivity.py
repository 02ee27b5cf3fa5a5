"""The tests of ``watchkeeper check``. A back end that a tool reads is tested with that tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio.service import RPCError

from watchkeeper.backend import bearer, fetch, send
from watchkeeper.cli.command_runner import GlobalOptions, connect_client, error_message
from watchkeeper.config.settings import ModelProfile, ServiceSettings, Settings, SettingsError
from watchkeeper.console import typed_command, with_typed_commands
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError
from watchkeeper.temporal.client import TemporalError
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import count, excerpt
from watchkeeper.tool import Tool, ToolCall, ToolDefinitionError, ToolError, ToolUnavailable
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
from watchkeeper.tool_calling.execution import run_tool

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
    try:
        tools = discover_tools()
        build_catalogue(tools, settings)
        yield CheckResult("tools", True, ", ".join(tools))
    except ToolDefinitionError as error:
        tools = {}
        yield CheckResult("tools", False, str(error))
    yield await _temporal(settings)
    async with httpx2.AsyncClient(timeout=REQUEST_SECONDS, follow_redirects=False) as http:
        for profile in settings.profiles:
            yield await _model(http, profile)
        for name, tool, tables, is_configured in _BACK_ENDS:
            services = [name for name, service in settings.services.items() if is_configured(settings, service)]
            if services and tool in tools:
                yield await _back_end(name, tools[tool], tables, services, settings, http)
        if settings.catalogue["team"] or settings.pagerduty.api_token:
            yield await _pagerduty(http, settings)


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


async def _model(http: httpx2.AsyncClient, profile: ModelProfile) -> CheckResult:
    """Look for the model in the list of its host. If it is not listed there, ask it a short question."""
    model = f"{profile.name} at {profile.base_url}"
    if profile.api_key is None:
        return CheckResult("model", False, f"{model}: no API key; set WATCHKEEPER_MODEL__API_KEY")
    try:
        listed = await fetch(http, "GET", f"{profile.base_url}/models", headers=bearer(profile.api_key))
        if profile.name in _model_names(listed):
            return CheckResult("model", True, model)
    except (ToolError, ToolUnavailable):
        pass  # some hosts do not list their models; the question below shows what is wrong
    try:
        await _ask(profile)
    except ModelError as error:
        remedy = "set WATCHKEEPER_MODEL__API_KEY" if error.reason == "auth" else "see the [model] settings"
        return CheckResult("model", False, f"{model}: {excerpt(str(error), _DETAIL_BYTES)}; {remedy}")
    return CheckResult("model", True, f"{model} (it answered a question)")


def _model_names(listed: object) -> list[object]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [item.get("id") for item in data if isinstance(item, dict)] if isinstance(data, list) else []


async def _ask(profile: ModelProfile) -> None:
    from watchkeeper.llm.client import ModelClient

    question = {"model": profile.name, "messages": [{"role": "user", "content": "Say ok."}], **profile.extra_body}
    client = ModelClient(profile)
    try:
        await client.complete(canonical_json(question | {"max_completion_tokens": 16}))
    finally:
        await client.close()


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


def _excerpt(error: Exception, settings: Settings) -> str:
    return excerpt(settings.redactor.text(str(error)), _DETAIL_BYTES)
