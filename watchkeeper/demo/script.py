"""The demo's script: a small rule-based on-call engineer in the place of the model.

It plays the scenes of the tool-calling guide for Kimi K2.6 (an incident in three rounds, one question, a snapshot of
several services, a forced page) by reading the conversation: what it says follows from the tool results it was given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.script_reader import Talk
from watchkeeper.demo.script_writer import answer, page_summary, snapshot, status_of, write_up
from watchkeeper.testing.scripts import ScriptedCall, ScriptedReply, calls, says, text_of

_RESOLVED = re.compile(r"(?!.*\bfiring\b).*\bresolved\b", re.IGNORECASE | re.DOTALL)
_QUESTION = re.compile(r"\s*(what|how|is|are|which|does|do|has|have|when)\b.*\?", re.IGNORECASE | re.DOTALL)
_TROUBLE = re.compile(
    r"\b(find out|investigat\w*|appropriate action|alert\w*|firing|incident|outage|degraded|down|fail\w*|reporting|"
    r"errors?|exceptions?|5xx|slow|latency|page|paged|critical|broken|urgent)\b",
    re.IGNORECASE,
)
_MOST_AT_ONCE = 3


def on_call_engineer(request: JsonObject) -> ScriptedReply:
    """Decide the next turn."""
    talk = Talk(request)
    asked = _asked(talk)
    text = text_of(talk.messages[asked]) if talk.users else ""
    plan = _Plan(talk, asked, text)
    if not talk.may_call:
        return _conclude(plan)
    if talk.forced is not None:
        return plan.forced(talk.forced)
    wanted = plan.next_calls()
    if not wanted and talk.choice == "required":
        wanted = [plan.call(next(iter(talk.tools)), plan.services[0])]
    return _act(plan, wanted) if wanted else _conclude(plan)


def _asked(talk: Talk) -> int:
    """Return where the user's last request stands; words that ask for nothing belong to the request before them."""
    for n in reversed(talk.users):
        text = text_of(talk.messages[n])
        if talk.services_in(text) or _TROUBLE.search(text) or _QUESTION.match(text):
            return n
    return talk.users[0] if talk.users else 0


class _Plan:
    """What there is to do about a request."""

    def __init__(self, talk: Talk, asked: int, text: str) -> None:
        self.talk = talk
        self.since = asked
        self.text = text
        named = talk.services_in(text)
        before = list(dict.fromkeys(f.about for f in talk.findings if f.about in talk.known_services))
        self.services = named or before or list(talk.known_services)
        self.named = bool(named)
        asks_only = _QUESTION.match(text) or _RESOLVED.match(text)
        self.trouble = not asks_only and _TROUBLE.search(text) is not None

    def next_calls(self) -> list[ScriptedCall]:
        if not self.trouble:
            return self._missing("get_service_health", services=self.services)
        if not self.named and (missing := self._missing("get_service_health", services=self.services)):
            return missing
        suspects = self.suspects
        if any(self.talk.page_of(service, self.since) for service in suspects):
            return []
        missing = self._missing("get_service_health", "get_deploys", "search_logs", services=suspects)
        return missing or [self.call("page_engineer", service) for service in suspects if self._must_page(service)]

    @property
    def suspects(self) -> list[str]:
        """The services that an incident is about: those named, else those that do not do well."""
        if self.named:
            return self.services[:_MOST_AT_ONCE]
        unwell = [s for s in self.services if status_of(self.talk.latest("get_service_health", s)) != "healthy"]
        return unwell[:_MOST_AT_ONCE]

    def forced(self, tool: str) -> ScriptedReply:
        service = self.services[0]
        if tool != "page_engineer" or self.talk.page_of(service):
            return _act(self, [self.call(tool, service)])
        context = self._missing("get_service_health", "get_deploys", services=[service])
        return _act(self, [self.call(tool, service), *context])

    def call(self, tool: str, service: str) -> ScriptedCall:
        """Write a call of a tool with those of its arguments that it takes."""
        known: JsonObject = {"service": service, "query": "Exception", "minutes": 30, "hours": 72}
        if tool == "page_engineer":
            known = {"team": self._team(service), "summary": self._summary(service), "severity": "critical"}
        taken = self.talk.tools[tool].get("properties", {})
        return tool, {name: value for name, value in known.items() if name in taken}

    def _summary(self, service: str) -> str:
        if self.talk.latest("get_service_health", service) is None:
            return " ".join(self.text.split())[:300]
        return page_summary(self.talk, service)

    def _team(self, service: str) -> str:
        teams = self.talk.values("page_engineer", "team") or (service,)
        return next((team for team in teams if service in team), teams[0])

    def _must_page(self, service: str) -> bool:
        if "page_engineer" not in self.talk.tools or self.talk.page_of(service) is not None:
            return False
        return status_of(self.talk.latest("get_service_health", service)) != "healthy"

    def _missing(self, *tools: str, services: Sequence[str]) -> list[ScriptedCall]:
        return [
            self.call(tool, service)
            for service in services
            for tool in tools
            if tool in self.talk.tools and self.talk.latest(tool, service, self.since) is None
        ]


def _act(plan: _Plan, wanted: Sequence[ScriptedCall]) -> ScriptedReply:
    tools = list(dict.fromkeys(call[0] for call in wanted))
    if plan.talk.forced is not None:
        why = f"I am told to call {plan.talk.forced}; what else it takes to act on it, I look up beside it."
    elif "page_engineer" in tools:
        why = "The evidence is clear and users are affected: wake the owner."
    elif len(wanted) > 1:
        why = f"These do not depend on each other, so I ask for all {len(wanted)} at once: {', '.join(tools)}."
    else:
        why = f"{tools[0]} answers this."
    return calls(*wanted, reasoning=why)


def _conclude(plan: _Plan) -> ScriptedReply:
    talk, services = plan.talk, plan.services
    if not talk.findings:
        text = "I could not look anything up, so I cannot say how the services do."
    elif plan.trouble and (suspects := plan.suspects):
        text = "\n\n".join(write_up(talk, service) for service in suspects)
    elif len(services) == 1:
        text = answer(talk, services)
    else:
        text = snapshot(talk, services)
    return says(text, reasoning_content="I know enough to answer; the numbers are those of the tools.")
