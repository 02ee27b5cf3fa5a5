"""What the guide's model writes: every number and name in it comes out of a tool result."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.script_reader import Finding, Talk, clock_of, deploys_in, fault_in, number, version_of


def status_of(health: Finding | None) -> str:
    """Return healthy, degraded, down, no_traffic or unknown."""
    if health is None or health.error is not None:
        return "unknown"
    return str(health.result.get("status") or "unknown")


def numbers_of(health: Finding | None) -> tuple[str | None, str | None]:
    """Return the error rate and the 95th percentile as people read them: 18.2%, 4,200 ms."""
    result: JsonObject = health.result if health else {}
    rate, p95 = number(result, "error_rate", "errorRate"), number(result, "p95_latency_ms", "p95LatencyMs")
    return (
        None if rate is None else f"{round(rate * 100, 1):g}%",
        None if p95 is None else f"{round(p95):,} ms",
    )


def page_summary(talk: Talk, service: str) -> str:
    """Tell the person who is woken what was found."""
    health, logs = talk.latest("get_service_health", service), talk.latest("search_logs", service)
    rate, p95 = numbers_of(health)
    facts = [f"error rate {rate}"] if rate else []
    facts += [f"p95 {p95}"] if p95 else []
    if (fault := fault_in(logs)) is not None:
        facts.append(f"{fault.name} in {fault.place or 'the logs'}" + (f" since {fault.since}" if fault.since else ""))
    deploys = deploys_in(talk.latest("get_deploys", service))
    if deploys:
        facts.append(f"latest deploy {version_of(deploys[0])}{_when(talk, service, deploys[0])}")
    status = status_of(health)
    said = f"{service} is {status}" if status != "unknown" else f"{service}: its health could not be read"
    return f"{said}: {', '.join(facts)}" if facts else said


def answer(talk: Talk, services: Sequence[str]) -> str:
    """Answer a question about one service."""
    service = services[0]
    health = talk.latest("get_service_health", service)
    status = status_of(health)
    if status == "unknown":
        return f"I could not read the health of the {service} service: {_why(health)}."
    rate, p95 = numbers_of(health)
    told = f"The {service} service is currently **{status}**"
    if rate and p95:
        told += f" with an error rate of **{rate}** and a p95 latency of **{p95}**"
    if status == "healthy":
        return f"{told}. No immediate action is required."
    return f"{told}. **Next action:** investigate {service} now."


def snapshot(talk: Talk, services: Sequence[str]) -> str:
    """Tell how several services do, in one line."""
    told: list[str] = []
    healthy: list[str] = []
    unwell: list[str] = []
    for service in services:
        health = talk.latest("get_service_health", service)
        status, (rate, p95) = status_of(health), numbers_of(health)
        if status == "healthy":
            healthy.append(f"**{service}**")
            continue
        unwell.append(service)
        if status == "unknown":
            told.append(f"**{service}** could not be read ({_why(health)})")
        else:
            told.append(f"**{service}** is {status}" + (f" ({rate} error rate, {p95} p95 latency)" if rate else ""))
    if healthy:
        told.append(f"{_listed(healthy)} {'are' if len(healthy) > 1 else 'is'} healthy")
    line = f"{'; '.join(told)}."
    if unwell:
        line += f" **Next action:** investigate {_listed(unwell)} at once, the latest deploy first."
    return line


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def write_up(talk: Talk, service: str) -> str:
    """Write the report on one service."""
    return "\n\n".join(
        [
            f"**Status:** {_status(talk, service)}",
            f"**Root cause:** {_cause(talk, service)}",
            f"**Action taken:** {_action(talk, service)}",
            f"**Recommended immediate next step:** {_next_step(talk, service)}",
        ]
    )


def _status(talk: Talk, service: str) -> str:
    health = talk.latest("get_service_health", service)
    status, (rate, p95) = status_of(health), numbers_of(health)
    if status == "unknown":
        return f"the health of {service} could not be read: {_why(health)}."
    if not rate or not p95:
        return f"{service} is {status}."
    return f"{service} is {status}: error rate is **{rate}** and p95 latency is **{p95}**."


def _cause(talk: Talk, service: str) -> str:
    logs = talk.latest("search_logs", service)
    fault = fault_in(logs)
    deploys = deploys_in(talk.latest("get_deploys", service))
    told: list[str] = []
    if deploys:
        told.append(f"Deploy **{version_of(deploys[0])}** went live{_when(talk, service, deploys[0])}.")
    if logs is None:
        told.append("The logs were not searched.")
    elif logs.error is not None:
        told.append(f"The logs could not be searched: {_why(logs)}.")
    elif fault is None:
        told.append("The logs show no exception; no cause was found.")
    else:
        place = f" in `{fault.place}`" if fault.place else ""
        since = f" starting at {fault.since}" if fault.since else ""
        tied = ", tied directly to the new release" if _blames_newest(talk, service) else ""
        told.append(f"Logs show a **{fault.name}{place}**{since}{tied}.")
    return " ".join(told)


def _when(talk: Talk, service: str, deploy: JsonObject) -> str:
    """Say when a deploy was: the hour of one that is to blame, the day of any other."""
    if _blames_newest(talk, service) and (clock := clock_of(deploy)) is not None:
        return f" at {clock}"
    day = str(deploy.get("deployed_at") or "")[:10]
    return f" on {day}" if day else ""


def _action(talk: Talk, service: str) -> str:
    page = talk.page_of(service)
    if page is None:
        return "None; nobody was paged."
    if page.error is not None:
        return f"Paging the {service} on-call engineer failed: {page.error}"
    incident = page.result.get("incident")
    opened = f"opened **{incident}**" if incident else "its incident number is not known yet"
    return f"Paged the {service} on-call engineer and {opened}."


def _next_step(talk: Talk, service: str) -> str:
    if status_of(talk.latest("get_service_health", service)) == "healthy":
        return "None is needed; keep watching."
    page = talk.page_of(service)
    by_hand = f"Page the {service} on-call engineer by hand. " if page is None or page.error else ""
    if _blames_newest(talk, service):
        deploys = deploys_in(talk.latest("get_deploys", service))
        newest = version_of(deploys[0])
        earlier = next((version_of(d) for d in deploys[1:] if version_of(d) != newest), None)
        target = f"**{earlier}**" if earlier else f"the release before {newest}"
        fault = fault_in(talk.latest("search_logs", service))
        bug = f"the `{fault.place.rpartition('.')[2]}` bug" if fault and fault.place else "the bug"
        return f"{by_hand}Roll back {service} to {target} to stop the bleeding while the team investigates {bug}."
    return f"{by_hand}Have the team look at {service} with the findings above."


def _blames_newest(talk: Talk, service: str) -> bool:
    """Tell whether the failing lines come from the newest release."""
    fault = fault_in(talk.latest("search_logs", service))
    deploys = deploys_in(talk.latest("get_deploys", service))
    return bool(fault and fault.version and deploys and fault.version == version_of(deploys[0]))


def _why(finding: Finding | None) -> str:
    if finding is None:
        return "it was not looked up"
    return (finding.error or "the result says so").rstrip(".")
