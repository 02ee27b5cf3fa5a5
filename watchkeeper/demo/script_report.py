"""What the scripted on-call engineer writes. Every number and name is read from a tool result."""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchkeeper.contracts import JsonObject

Results = Mapping[tuple[str, str], JsonObject]
"""The last result of each tool, by tool and by service or team."""

_FAILURE = re.compile(
    r"(?P<name>\w+Exception)\b.* at (?:\w+\.)*(?P<place>\w+\.(?P<method>\w+))\(.*"
    r" release=(?P<release>\S+) first_seen=[\d-]+T(?P<since>\d\d:\d\d)"
)

_ABSENT: JsonObject = {"error": "it was not looked up"}
"""Replaces the result of a tool that was not called."""


class Findings:
    """What the tools have returned about one service."""

    def __init__(self, results: Results, service: str) -> None:
        tools = ("get_service_health", "get_deploys", "search_logs", "page_engineer")
        self.service = service
        self.health, deploys, self.logs, self.page = (results.get((tool, service), _ABSENT) for tool in tools)
        self.paged = ("page_engineer", service) in results
        self.status = str(self.health.get("status", "unknown"))
        self.deploys: list[JsonObject] = deploys.get("deploys", [])
        """Newest first."""
        lines = (entry["line"] for entry in self.logs.get("lines", ()))
        self.failure = next((found for line in lines if (found := _FAILURE.search(line))), None)
        self.release_fails = bool(
            self.failure and self.deploys and self.failure["release"] == self.deploys[0]["version"]
        )

    def numbers(self, text: str) -> str:
        """Fill the error rate and the p95 latency into a text; empty if they are not known."""
        if self.health.get("error_rate") is None or self.health.get("p95_latency_ms") is None:
            return ""
        rate = f"{round(self.health['error_rate'] * 100, 1):g}%"
        return text.format(rate=rate, p95=f"{self.health['p95_latency_ms']:,} ms")

    @property
    def newest_deploy(self) -> str:
        """The newest version with its minute if it fails, otherwise with its day."""
        version, at = self.deploys[0]["version"], self.deploys[0]["deployed_at"]
        return f"**{version}** went live " + (f"at {at[11:16]} UTC" if self.release_fails else f"on {at[:10]}")


def page_summary(findings: Findings) -> str:
    """Write the text of a page."""
    facts = [findings.numbers("error rate {rate}, p95 {p95}")]
    if failure := findings.failure:
        facts.append(f"{failure['name']} in {failure['place']} since {failure['since']} UTC")
    if findings.deploys:
        facts.append(findings.newest_deploy.replace("*", ""))
    return f"{findings.service} is {findings.status}: {', '.join(filter(None, facts)) or _error(findings.health)}"


def incident_report(findings: Findings) -> str:
    """Write the report on an incident."""
    parts = {
        "Status": _health(findings),
        "Root cause": _cause(findings),
        "Action taken": _action(findings),
        "Recommended immediate next step": _next_step(findings),
    }
    return "\n\n".join(f"**{name}:** {text}" for name, text in parts.items())


def _health(findings: Findings) -> str:
    if findings.health is _ABSENT:
        return f"the health of {findings.service} was not measured."
    if "error" in findings.health:
        return f"the health of {findings.service} could not be read: {_error(findings.health)}."
    numbers = findings.numbers(": error rate is **{rate}** and p95 latency is **{p95}**")
    return f"{findings.service} is {findings.status}{numbers}."


def _cause(findings: Findings) -> str:
    deploy = f"Deploy {findings.newest_deploy}. " if findings.deploys else ""
    if findings.logs is _ABSENT:
        return f"{deploy}The logs were not searched, so the cause is not known."
    if "error" in findings.logs:
        return f"{deploy}The logs could not be searched: {_error(findings.logs)}."
    if not (failure := findings.failure):
        return f"{deploy}The logs show no exception; the cause is not known."
    release = ", tied directly to the new release" if findings.release_fails else ""
    exception = f"**{failure['name']} in `{failure['place']}`**"
    return f"{deploy}Logs show a {exception} starting at {failure['since']} UTC{release}."


def _action(findings: Findings) -> str:
    if not findings.paged:
        return "None. No one was paged."
    if "error" in findings.page:
        return f"Paging the {findings.service} on-call engineer failed: {_error(findings.page)}."
    incident = findings.page.get("incident")
    opened = f"opened **{incident}**" if incident else "its incident number is not known yet"
    return f"Paged the {findings.service} on-call engineer and {opened}."


def _next_step(findings: Findings) -> str:
    if findings.status == "healthy":
        return "None. Keep watching."
    service = findings.service
    by_hand = f"Page the {service} on-call engineer by hand. " if "error" in findings.page else ""
    if findings.failure and findings.release_fails and len(findings.deploys) > 1:
        version, method = findings.deploys[1]["version"], findings.failure["method"]
        reason = f"to stop the failures while the team investigates the `{method}` bug"
        return f"{by_hand}Roll back {service} to **{version}** {reason}."
    return f"{by_hand}Let the team look at {service} with the findings above."


def _error(result: JsonObject) -> str:
    return str(result.get("error", "no data")).rstrip(".")


def health_answer(findings: list[Findings]) -> str:
    """Answer a question about the health of some services."""
    parts = []
    for one in findings:
        error = f" ({_error(one.health)})" if "error" in one.health else ""
        numbers = one.numbers(" with an error rate of **{rate}** and a p95 latency of **{p95}**")
        parts.append(f"{one.service} is **{one.status}**{numbers}{error}")
    unhealthy = [one.service for one in findings if one.status != "healthy"]
    action = (
        f"**Next action:** investigate {', '.join(unhealthy)}." if unhealthy else "No immediate action is required."
    )
    return f"{'; '.join(parts)}. {action}"
