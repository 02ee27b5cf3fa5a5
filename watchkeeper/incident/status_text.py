"""What the Temporal UI shows of a run, in words and Markdown (pure).

What is said at the start, the memo and the search attributes can be read without a worker; the current details are
asked of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from watchkeeper.contracts import (
    Alert,
    AlertState,
    BudgetUsed,
    CallRecord,
    Limits,
    Report,
    RunInput,
    RunMemo,
    RunStatus,
)
from watchkeeper.incident import alert_text
from watchkeeper.text import excerpt, json_summary, shortened, utc

TEXT_BYTES = 4_000
LINE_BYTES = 200
LINKS = 10
ALERTS = 20
ALERTS_BYTES = 8_000
"""For the alerts that start a run: with all else, Temporal takes some 20,000 bytes of words at a start."""

CALLS = 10
"""How many of the latest calls the current details tell."""

GLANCE_CALLS = 3
GLANCE_BYTES = 120
GLANCE_REPORT_BYTES = 900
"""The memo is small: Temporal keeps it beside each run in its lists, and its SDK warns above 2 KiB."""

_MARKS = re.compile(r"([\\`*_\[\]<>#|~])")
_LINK = re.compile(r"https?://[^\s<>()\[\]]+")


@dataclass(frozen=True)
class StatusFacts:
    """A run at one moment."""

    workflow_id: str
    doing: str
    """In a few words."""
    status: RunStatus = "running"
    reason: str | None = None
    limits: Limits | None = None
    """None until the run is briefed."""
    spent: BudgetUsed = field(default_factory=BudgetUsed)
    calls: Sequence[CallRecord] = ()
    alerts: Sequence[AlertState] = ()
    report: Report | None = None

    @property
    def waiting(self) -> list[CallRecord]:
        """The calls that wait for a person."""
        return [call for call in self.calls if call.status == "waiting"]


def summary_line(given: RunInput, first_line: str) -> str:
    """Say in one line what a run is about: ``critical · checkout · HighErrorRate``."""
    facts = [fact for fact in (given.severity, given.service) if fact]
    return excerpt(" · ".join([*facts, first_line]), LINE_BYTES)


def start_details(given: RunInput, team: str | None, alerts: Sequence[Alert] = ()) -> str:
    """Tell in Markdown why a run was started: by whom, about what, with the links that came along."""
    origin = given.origin
    facts = {"Service": given.service, "Severity": given.severity, "Team": team}
    lines = [f"- **{name}:** {escape_markdown(fact)}" for name, fact in facts.items() if fact]
    if origin is None:
        return "\n".join(["**Asked by a person**", "", *_quoted(given.text), "", *lines])
    source, kind, group = map(escape_markdown, (origin.source, origin.kind, origin.group))
    lines.append(f"- **Source:** {source} ({kind}), group {group}")
    if origin.previous is not None:
        before = origin.previous
        lines.append(
            f"- **Previous episode:** {before.status} at {utc(before.ended_at)}: {escape_markdown(before.summary)}"
        )
    told = _told(alerts[:ALERTS])
    told += [f"- and {len(alerts) - len(told)} more"] if len(alerts) > len(told) else []
    return "\n".join(
        ["**What fired**", "", *_quoted(given.text), "", *lines, *["", "**Alerts**", "", *told] * bool(told)]
    )


def current_details(view: StatusFacts) -> str:
    """Tell in Markdown how a run stands, for who looks while it has a worker."""
    lines = [f"**{escape_markdown(_standing(view))}**"]
    lines += [f"\n{escape_markdown(view.reason)}"] if view.reason else []
    for call in view.waiting:
        run = view.workflow_id
        lines += ["", f"**Waits for a person** to allow {_call(call)}", ""]
        lines += [f"- `watchkeeper approve {run} {call.key}`", f"- `watchkeeper deny {run} {call.key}`"]
    if view.report is not None:  # which tells of the alerts as they were
        lines += ["", _firing(view.alerts)] * bool(view.alerts)
        lines += ["", "---", "", view.report.body]
    elif view.alerts:
        lines += ["", "**Alerts**", "", *alert_text.for_people(view.alerts, ALERTS)]
    if view.report is None and (found := _settled(view.calls)):
        told = (f"- {_call(call)}: {escape_markdown(_finding(call))}" for call in found[-CALLS:])
        lines += ["", "**Found so far**", "", *told]
    return "\n".join([*lines, "", f"*{usage_phrase(view)}*"])


def status_memo(view: StatusFacts) -> RunMemo:
    """Say the same in brief, for who looks when no worker is alive."""
    known: dict[str, object] = {"doing": excerpt(_standing(view), LINE_BYTES), "used": usage_phrase(view)}
    for call in view.waiting[:1]:
        wanted = json_summary(call.arguments)
        known["waits_for"] = shortened(f"a person, to allow {call.key} {call.name}: {wanted}", LINE_BYTES)
        known["answer"] = f"watchkeeper approve {view.workflow_id} {call.key}"
    if view.report is not None:
        known["report"] = excerpt(view.report.body, GLANCE_REPORT_BYTES)
    elif found := _settled(view.calls)[-GLANCE_CALLS:]:
        told = (f"{call.key} {call.name}: {_finding(call)}" for call in found)
        known["found"] = [shortened(line, GLANCE_BYTES) for line in told]
    return RunMemo.model_validate(known)


def usage_phrase(view: StatusFacts) -> str:
    """Say what a run has used of its limits."""
    spent, limits, usage = view.spent, view.limits, view.spent.usage
    if limits is None:
        return "nothing used yet"
    parts = [
        f"{spent.rounds} of {limits.rounds} rounds",
        f"{spent.tool_calls} of {limits.tool_calls} calls",
        f"{usage.tokens:,} of {limits.tokens:,} tokens",
    ]
    if usage.cost is not None:
        parts.append(f"${usage.cost:.4f}" + (f" of ${limits.cost:.2f}" if limits.cost is not None else ""))
    return ", ".join(parts)


def escape_markdown(text: str) -> str:
    """Write words of strangers so that Markdown shows them and obeys none of them."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _standing(view: StatusFacts) -> str:
    """Say how a run ended, if it did, and what it is doing."""
    return view.doing if view.status == "running" else f"{view.status.replace('_', ' ')}, {view.doing}"


def _firing(alerts: Sequence[AlertState]) -> str:
    firing, every = sum(alert.status == "firing" for alert in alerts), len(alerts)
    if firing in (0, every):
        alone = every == 1
        who = "Its alert" if alone else f"All {every} alerts"
        return f"{who} fire{'s' * alone}." if firing else f"{who} {'is' if alone else 'are'} over."
    return f"{firing} of {every} alerts fire{'s' * (firing == 1)}."


def _settled(calls: Iterable[CallRecord]) -> list[CallRecord]:
    return [call for call in calls if call.status not in ("waiting", "running")]


def _finding(call: CallRecord) -> str:
    """Say what came of a call, without what it says of its own arguments first."""
    asked, told = json_summary(call.arguments).split(", "), json_summary(call.finding).split(", ")
    while len(told) > 1 and told[0] in asked:
        told.pop(0)
    return ", ".join(told)


def _call(call: CallRecord) -> str:
    failed = "" if call.status in ("ok", "waiting", "running") else f" ({call.status})"
    return f"`{call.key}` {escape_markdown(call.name)} ({escape_markdown(json_summary(call.arguments))}){failed}"


def _told(alerts: Iterable[Alert]) -> list[str]:
    """Tell of as many alerts as there is room for; where it is short, without their links."""
    lines, room = list[str](), ALERTS_BYTES
    for alert in alerts:
        ways = (f"- {_alert(alert, links)}" for links in (LINKS, 0))
        if (line := next((line for line in ways if len(line.encode()) <= room), None)) is None:
            break
        lines.append(line)
        room -= len(line.encode())
    return lines


def _alert(alert: Alert, links: int) -> str:
    since = f" since {utc(alert.starts_at)}" if alert.starts_at else ""
    ways = [
        f"[{escape_markdown(name)}]({link})" for name, link in [*alert.links.items()][:links] if _LINK.fullmatch(link)
    ]
    return " · ".join([f"{alert.status}{since}: {escape_markdown(alert.title)}", *ways])


def _quoted(text: str) -> list[str]:
    return [f"> {escape_markdown(line)}" for line in excerpt(text, TEXT_BYTES).splitlines()]
