"""What ``watchkeeper check`` tries, one verdict each: with the tools' own questions where there is a tool for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from temporalio.service import RPCError

from watchkeeper.backend import bearer, fetch, send
from watchkeeper.cli.runner import Globals, connected, sentence
from watchkeeper.config.settings import ModelProfile, ServiceSettings, Settings, SettingsError
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError
from watchkeeper.temporal.client import TemporalError
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import count, excerpt
from watchkeeper.tool import Tool, ToolCall, ToolDefinitionError, ToolError, ToolUnavailable
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
from watchkeeper.tool_calling.execution import run_tool

SECONDS = 15.0
AT_ONCE = 8
_DETAIL = 500


@dataclass(frozen=True)
class Verdict:
    """Whether one thing works; the detail says how, or how to mend it."""

    what: str
    ok: bool
    detail: str


async def check_all(given: Globals) -> AsyncIterator[Verdict]:
    """Check everything, in the order in which it is mended."""
    try:
        settings = given.settings()
    except SettingsError as error:
        yield Verdict("configuration", False, str(error))
        yield await _temporal(None)
        return
    services, teams = settings.catalogue["service"], settings.catalogue["team"]
    yield Verdict("configuration", True, f"{count(len(services), 'service')}, {count(len(teams), 'team')}")
    try:
        tools = discover_tools()
        build_catalogue(tools, settings)
        yield Verdict("tools", True, ", ".join(tools))
    except ToolDefinitionError as error:
        tools = {}
        yield Verdict("tools", False, str(error))
    yield await _temporal(settings)
    async with httpx2.AsyncClient(timeout=SECONDS, follow_redirects=False) as http:
        for profile in settings.profiles:
            yield await _model(http, profile)
        for what, tool, wanted in _BACK_ENDS:
            named = [name for name, service in settings.services.items() if wanted(settings, service)]
            if named and tool in tools:
                yield await _back_end(what, tools[tool], named, settings, http)
        if settings.catalogue["team"] or settings.pagerduty.api_token:
            yield await _pagerduty(http, settings)


async def _temporal(settings: Settings | None) -> Verdict:
    try:
        client = await connected()
        address = f"{client.service_client.config.target_host}, namespace {client.namespace!r}"
        if settings is None:
            return Verdict("Temporal", True, address)
        queue = settings.worker.task_queue
        polled = await has_worker(client, queue)
    except (TemporalError, RPCError) as error:
        return Verdict("Temporal", False, sentence(error))
    who = "a worker polls" if polled else "no worker polls (start one with `watchkeeper worker`)"
    return Verdict("Temporal", True, f"{address}; {who} the task queue {queue!r}")


async def _model(http: httpx2.AsyncClient, profile: ModelProfile) -> Verdict:
    """Look for the model in the host's list; where that does not settle it, put the smallest question to it."""
    place = f"{profile.name} at {profile.base_url}"
    if profile.api_key is None:
        return Verdict("model", False, f"{place}: no API key; set WATCHKEEPER_MODEL__API_KEY")
    try:
        listed = await fetch(http, "GET", f"{profile.base_url}/models", headers=bearer(profile.api_key))
        if profile.name in _names(listed):
            return Verdict("model", True, place)
    except (ToolError, ToolUnavailable):
        pass  # not every host lists its models; the question below says what is wrong
    try:
        await _ask(profile)
    except ModelError as error:
        way_out = {"auth": "; set WATCHKEEPER_MODEL__API_KEY"}.get(error.reason, "; see the [model] settings")
        return Verdict("model", False, f"{place}: {excerpt(str(error), _DETAIL)}{way_out}")
    return Verdict("model", True, f"{place} (it answered a question)")


def _names(listed: object) -> list[object]:
    data = listed.get("data") if isinstance(listed, dict) else None
    return [item.get("id") for item in data if isinstance(item, dict)] if isinstance(data, list) else []


async def _ask(profile: ModelProfile) -> None:
    from watchkeeper.llm.client import ModelClient

    question = {"model": profile.name, "messages": [{"role": "user", "content": "Say ok."}], **profile.extra_body}
    endpoint = ModelClient(profile)
    try:
        await endpoint.complete(canonical_json(question | {"max_completion_tokens": 16}))
    finally:
        await endpoint.close()


_BACK_ENDS: list[tuple[str, str, Callable[[Settings, ServiceSettings], bool]]] = [
    ("Prometheus", "get_service_health", lambda settings, _: settings.prometheus.url is not None),
    ("Loki", "search_logs", lambda settings, _: settings.loki.url is not None),
    ("deploys", "get_deploys", lambda settings, service: bool(service.github or service.argocd)),
]

_ARGUMENTS: Mapping[str, JsonObject] = {"search_logs": {"query": "", "minutes": 5}}


async def _back_end(
    what: str, tool: Tool[Any], services: list[str], settings: Settings, http: httpx2.AsyncClient
) -> Verdict:
    """Ask about every service what the model would ask."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def trouble(service: str) -> str | None:
        arguments = canonical_json({"service": service, **_ARGUMENTS.get(tool.name, {})}).decode()
        call = ToolCall(run="check", key="check", arguments=arguments)
        try:
            async with turns:
                result = await run_tool(tool, call, settings=settings, http=http, at=datetime.now(UTC), attempt=1)
        except ToolUnavailable as error:
            return f"{service}: {error}"
        unknown = '"status":"unknown"' in result.content
        return f"{service}: {result.content}" if result.status != "ok" or unknown else None

    found = [said for said in await asyncio.gather(*map(trouble, services)) if said]
    if not found:
        return Verdict(what, True, f"answers for {count(len(services), 'service')}")
    rest = f" (and {count(len(found) - 1, 'other service')})" if len(found) > 1 else ""
    return Verdict(what, False, f"{excerpt(found[0], _DETAIL)}{rest}")


async def _pagerduty(http: httpx2.AsyncClient, settings: Settings) -> Verdict:
    """Look without waking anybody: which teams can be paged, and whether the REST token is good."""
    pagerduty, teams = settings.pagerduty, settings.catalogue["team"]
    if silent := [team for team in teams if settings.routing_key(team) is None]:
        way_out = "set teams.NAME.routing_key or pagerduty.routing_key"
        return Verdict("PagerDuty", False, f"nobody can be paged of: {', '.join(silent)}; {way_out}")
    try:
        await http.get(pagerduty.events_url)
        if pagerduty.api_token is not None:
            headers = {
                "Authorization": f"Token token={pagerduty.api_token.get_secret_value()}",
                "Accept": "application/vnd.pagerduty+json;version=2",
            }
            await send(http, "GET", f"{pagerduty.api_url}/incidents", params={"limit": 1}, headers=headers)
    except (ToolError, ToolUnavailable) as error:
        return Verdict("PagerDuty", False, excerpt(str(error), _DETAIL))
    except httpx2.HTTPError as error:
        return Verdict("PagerDuty", False, f"{pagerduty.events_url} is out of reach: {excerpt(str(error), _DETAIL)}")
    notes = [f"{count(len(teams), 'team')} can be paged"]
    if settings.on_call(None) is None:
        notes.append("without reports.team, the hand-off of a run that names no service pages nobody")
    if not pagerduty.api_token:
        notes.append("without pagerduty.api_token, reports name no incident numbers")
    return Verdict("PagerDuty", True, "; ".join(notes))
