"""What the guide's model reads in a conversation: what was asked, what it may call, what the tools have said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.scenario import SERVICES
from watchkeeper.testing.parameter_rules import offered_tools
from watchkeeper.testing.scripts import text_of

_EXCEPTION = re.compile(r"\b(?:\w+\.)*(\w+(?:Exception|Error))\b")
_PLACE = re.compile(r"\bat (?:\w+\.)*(\w+\.\w+)\(")
_VERSION = re.compile(r"\bv?\d+\.\d+\.\d+\b")
_FIRST_SEEN = re.compile(r"first_seen=(\d{1,2}:\d{2})")
_CLOCK = re.compile(r"\b(\d{1,2}:\d{2})\b")


@dataclass(frozen=True)
class Finding:
    """One call and what came of it."""

    tool: str
    arguments: JsonObject
    result: JsonObject
    after: int
    """Position in the conversation of the user's message that it serves."""

    @property
    def error(self) -> str | None:
        """What went wrong, if the result is an error."""
        error = self.result.get("error")
        return error if error is None or isinstance(error, str) else json.dumps(error)

    @property
    def about(self) -> str:
        """The service, or the team, that it is about."""
        return str(self.arguments.get("service") or self.arguments.get("team") or "")


@dataclass(frozen=True)
class Fault:
    """An exception in the logs."""

    name: str
    place: str | None
    since: str | None
    """Local time of the first one, such as 13:42."""
    version: str | None


class Talk:
    """A request, understood."""

    def __init__(self, request: JsonObject) -> None:
        self.messages: list[JsonObject] = request["messages"]
        self.tools = offered_tools(request)
        self.choice: object = request.get("tool_choice", "auto")
        self.findings = list(_findings(self.messages))
        self.users = [n for n, message in enumerate(self.messages) if message["role"] == "user"]

    @property
    def may_call(self) -> bool:
        """Tell whether tools can be called in this turn."""
        return bool(self.tools) and self.choice != "none"

    @property
    def forced(self) -> str | None:
        """The tool that must be called in this turn, if one is named."""
        return self.choice["function"]["name"] if isinstance(self.choice, dict) else None

    @property
    def known_services(self) -> Sequence[str]:
        """The services there are: those of the catalogue that the tools are offered with."""
        offered = [names for name in self.tools for names in [self.values(name, "service")] if names]
        asked = dict.fromkeys(finding.about for finding in self.findings if finding.about)
        return offered[0] if offered else tuple(asked) or SERVICES

    def values(self, tool: str, argument: str) -> Sequence[str]:
        """Return what an argument of a tool may be; nothing if it is not enumerated."""
        properties: Mapping[str, Any] = self.tools.get(tool, {}).get("properties", {})
        return tuple(properties.get(argument, {}).get("enum", ()))

    def services_in(self, text: str) -> list[str]:
        """Return the services that a text names, in its order."""
        found = ((re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE), name) for name in self.known_services)
        return [name for _, name in sorted((place.start(), name) for place, name in found if place)]

    def latest(self, tool: str, about: str, since: int = 0) -> Finding | None:
        """Return the last finding of a tool about a service, if it serves this user's message or a later one."""
        return next(
            (f for f in reversed(self.findings) if f.tool == tool and f.about == about and f.after >= since), None
        )

    def page_of(self, service: str, since: int = 0) -> Finding | None:
        """Return the last page that went to the owners of a service, or to a team that is named after no service."""
        pages = [f for f in reversed(self.findings) if f.tool == "page_engineer" and f.after >= since]
        own = [page for page in pages if service in page.about]
        return next(iter(own or [page for page in pages if page.about not in self.known_services]), None)


def _findings(messages: list[JsonObject]) -> Iterator[Finding]:
    calls: dict[str, JsonObject] = {}
    after = 0
    for n, message in enumerate(messages):
        match message["role"]:
            case "user":
                after = n
            case "assistant":
                calls = {call["id"]: call["function"] for call in message.get("tool_calls") or ()}
            case "tool":
                function = calls[message["tool_call_id"]]
                yield Finding(function["name"], _object(function["arguments"]), _object(text_of(message)), after)


def _object(text: str) -> JsonObject:
    try:
        parsed = json.loads(text)
    except ValueError:
        return {"error": text}
    return parsed if isinstance(parsed, dict) else {"error": text}


def number(result: JsonObject, *names: str) -> float | None:
    """Return the first of these fields that holds a number."""
    values = (result.get(name) for name in names)
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), None)


def fault_in(logs: Finding | None) -> Fault | None:
    """Find the exception that a log search has brought up."""
    for entry in logs.result.get("lines") or () if logs else ():
        line = str(entry.get("line", "")) if isinstance(entry, dict) else str(entry)
        if (name := _EXCEPTION.search(line)) is None:
            continue
        place, since, version = _PLACE.search(line), _FIRST_SEEN.search(line), _VERSION.search(line)
        return Fault(
            name=name[1],
            place=place[1] if place else None,
            since=since[1] if since else None,
            version=version[0] if version else None,
        )
    return None


def deploys_in(deploys: Finding | None) -> list[JsonObject]:
    """Return the deploys that were found, newest first."""
    found = deploys.result.get("deploys") if deploys else None
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def version_of(deploy: JsonObject) -> str:
    """Return what a deploy brought live."""
    return str(deploy.get("version") or deploy.get("ref") or deploy.get("revision") or "an unnamed version")


def clock_of(deploy: JsonObject) -> str | None:
    """Return the time of a deploy as people say it: from its description, else from its timestamp."""
    texts = (str(deploy.get("description") or ""), str(deploy.get("deployed_at") or ""))
    return next((found[1] for text in texts if (found := _CLOCK.search(text))), None)
