"""The demo's scripted model: an on-call engineer made of a few rules.

It plays the scenes of the tool-calling guide for Kimi K2.6: an incident in three rounds, one question, a snapshot of
several services, a forced page.
"""

from __future__ import annotations

import json
import re

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.scenario import SERVICES
from watchkeeper.demo.script_report import Findings, health_answer, incident_report, page_summary
from watchkeeper.testing.parameter_rules import offered_tools
from watchkeeper.testing.scripts import ScriptedCall, ScriptedReply, calls, says, text_of

_QUESTION = re.compile(r"\s*(what|how|is|are|which|does|do|has|have|when)\b.*\?", re.IGNORECASE | re.DOTALL)
_RESOLVED = re.compile(r"(?!.*\bfiring\b).*\bresolved\b", re.IGNORECASE | re.DOTALL)
_INCIDENT = re.compile(
    r"\b(find out|investigat\w*|alert\w*|firing|fail\w*|errors?|slow|page|critical|broken)\b", re.IGNORECASE
)
_LOOK = ("get_service_health", "get_deploys", "search_logs")


def on_call_engineer(request: JsonObject) -> ScriptedReply:
    """Choose the next reply: tool calls while something is missing, then the report."""
    messages: list[JsonObject] = request["messages"]
    start, text = _current_request(messages)
    everything, recent = _results(messages, 0), _results(messages, start)
    known = dict.fromkeys(service for _, service in everything if service in SERVICES)
    services = _services_in(text) or list(known) or list(SERVICES)
    incident = bool(_INCIDENT.search(text)) and not _QUESTION.match(text) and not _RESOLVED.match(text)

    choice = request.get("tool_choice", "auto")
    offered = {} if choice == "none" else offered_tools(request)

    def call(tool: str, service: str) -> ScriptedCall:
        arguments: JsonObject = {"service": service, "query": "Exception", "minutes": 30, "hours": 72}
        if tool == "page_engineer":
            summary = text[:300]
            if ("get_service_health", service) in everything:
                summary = page_summary(Findings(everything, service))
            arguments = {"service": service, "team": service, "summary": summary, "severity": "critical"}
        accepted = offered[tool].get("properties", {})
        return tool, {name: value for name, value in arguments.items() if name in accepted}

    def missing(tools: tuple[str, ...]) -> list[ScriptedCall]:
        return [call(t, s) for s in services for t in tools if t in offered and (t, s) not in recent]

    findings = [Findings(everything, service) for service in services]
    if isinstance(choice, dict):
        forced = choice["function"]["name"]
        tool_calls = [call(forced, services[0]), *(missing(_LOOK[:2]) if forced == "page_engineer" else [])]
    elif any(tool == "page_engineer" for tool, _ in recent):
        tool_calls = []  # The page is sent or has failed: report.
    else:
        tool_calls = missing(_LOOK if incident else _LOOK[:1])
        if incident and not tool_calls and "page_engineer" in offered:
            tool_calls = [call("page_engineer", f.service) for f in findings if f.status != "healthy" and not f.paged]
        if choice == "required" and not tool_calls:
            tool_calls = [call(next(iter(offered)), services[0])]
    if tool_calls and offered:
        return calls(
            *tool_calls, reasoning=f"To answer I need: {', '.join(dict.fromkeys(name for name, *_ in tool_calls))}."
        )
    return says(_report(findings, incident=incident), reasoning_content="The tool results answer the request.")


def _report(findings: list[Findings], *, incident: bool) -> str:
    if not incident:
        return health_answer(findings)
    unhealthy = [service for service in findings if service.status != "healthy"]
    return "\n\n".join(incident_report(service) for service in unhealthy or findings)


def _current_request(messages: list[JsonObject]) -> tuple[int, str]:
    """Return the position and text of the last user message that asks for something.

    Any other message, such as "Thank you." or the notice of the last round, continues the request before it.
    """
    texts = [(n, text_of(message)) for n, message in enumerate(messages) if message["role"] == "user"]
    requests = [(n, text) for n, text in texts if _services_in(text) or _QUESTION.match(text)]
    return (requests or texts[:1] or [(0, "")])[-1]


def _services_in(text: str) -> list[str]:
    return [word for word in dict.fromkeys(re.findall(r"\w+", text.lower())) if word in SERVICES]


def _results(messages: list[JsonObject], start: int) -> dict[tuple[str, str], JsonObject]:
    """Return the last result of each tool for each service (or the team named after it), from a position on."""
    functions = {c["id"]: c["function"] for message in messages for c in message.get("tool_calls") or ()}
    results: dict[tuple[str, str], JsonObject] = {}
    for message in messages[start:]:
        if message["role"] == "tool":
            function = functions[message["tool_call_id"]]
            arguments = json.loads(function["arguments"])
            results[function["name"], arguments.get("service") or arguments.get("team", "")] = _object(text_of(message))
    return results


def _object(text: str) -> JsonObject:
    try:
        value = json.loads(text)
    except ValueError:
        return {"error": text}
    return value if isinstance(value, dict) else {"error": text}
