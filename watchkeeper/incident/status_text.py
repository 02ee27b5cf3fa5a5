"""The texts of a run in the Temporal UI: summary, details and memo, in Markdown (pure).

The static summary and details, the memo and the search attributes can be read without a worker. The current details
are a query that a worker answers.
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
from watchkeeper.incident.claim_text import unsupported_count, unsupported_line, unsupported_list
from watchkeeper.incident.phrases import (
    alert_counts,
    approve_command,
    deny_command,
    limit_phrases,
    service_phrase,
    status_with_step,
)
from watchkeeper.text import excerpt, harmless, json_summary, shortened, utc

TEXT_BYTES = 4_000
LINE_BYTES = 200
LINKS = 10
ALERTS = 20
ALERTS_BYTES = 8_000
"""For the alerts in the static details. Temporal accepts about 20,000 bytes of details."""

CALLS = 10
"""Latest calls in the current details."""

MEMO_CALLS = 3
MEMO_BYTES = 120
MEMO_REPORT_BYTES = 900
"""The memo is small: Temporal returns it with each run of a list, and the SDK warns above 2 KiB."""

_MARKS = re.compile(r"([\\`*_\[\]<>#|~])")
_LINK = re.compile(r"https?://[^\s<>()\[\]]+")


@dataclass(frozen=True)
class StatusFacts:
    """What is known of a run now."""

    workflow_id: str
    doing: str
    """The current step: ``asking the model``."""
    status: RunStatus = "running"
    reason: str | None = None
    limits: Limits | None = None
    """None until the briefing."""
    spent: BudgetUsed = field(default_factory=BudgetUsed)
    calls: Sequence[CallRecord] = ()
    alerts: Sequence[AlertState] = ()
    report: Report | None = None

    @property
    def waiting(self) -> list[CallRecord]:
        """Calls that wait for a person."""
        return [call for call in self.calls if call.status == "waiting"]


def summary_line(run_input: RunInput, first_line: str) -> str:
    """Return the static summary: ``critical · checkout · HighErrorRate``."""
    facts = [fact for fact in (run_input.severity, run_input.service) if fact]
    return excerpt(harmless(" · ".join([*facts, first_line])), LINE_BYTES)


def start_details(run_input: RunInput, team: str | None, alerts: Sequence[Alert] = ()) -> str:
    """Return the static details: who started the run, about what, and the links of the alerts."""
    origin = run_input.origin
    service = service_phrase(run_input.service, origin.unknown_service if origin else None)
    facts = {"Service": service, "Severity": run_input.severity, "Team": team}
    lines = [f"- **{name}:** {escape_markdown(fact)}" for name, fact in facts.items() if fact]
    if origin is None:
        return harmless("\n".join(["**Asked by a person**", "", *_quoted(run_input.text), "", *lines]))
    source, kind, group = map(escape_markdown, (origin.source, origin.kind, origin.group))
    lines.append(f"- **Source:** {source} ({kind}), group {group}")
    if origin.previous is not None:
        before = origin.previous
        lines.append(
            f"- **Previous episode:** {before.status} at {utc(before.ended_at)}: {escape_markdown(before.summary)}"
        )
    listed = _alert_lines(alerts[:ALERTS])
    listed += [f"- and {len(alerts) - len(listed)} more"] if len(alerts) > len(listed) else []
    alert_lines = ["", "**Alerts**", "", *listed] * bool(listed)
    return harmless("\n".join(["**What fired**", "", *_quoted(run_input.text), "", *lines, *alert_lines]))


def current_details(facts: StatusFacts) -> str:
    """Return the current details: status, open approval requests, report or results so far."""
    lines = [f"**{escape_markdown(_status(facts))}**"]
    lines += [f"\n{escape_markdown(facts.reason)}"] if facts.reason else []
    for call in facts.waiting:
        lines += ["", f"**Waits for a person**{_until(call)} to approve {_call(call)}", ""]
        lines.append(f"- `{approve_command(facts.workflow_id, call.key)}`")
        lines.append(f"- `{deny_command(facts.workflow_id, call.key)}`")
    if facts.report is not None:  # its body lists the alerts as they were
        lines += ["", f"**Alerts:** {alert_counts(facts.alerts)}"] * bool(facts.alerts)
        lines += _unsupported(facts.report)
        lines += ["", "---", "", facts.report.body]
    elif facts.alerts:
        lines += ["", "**Alerts**", "", *alert_text.for_people(facts.alerts, ALERTS)]
    if facts.report is None and (found := _finished(facts.calls)):
        results = (f"- {_call(call)}: {escape_markdown(_finding(call))}" for call in found[-CALLS:])
        lines += ["", "**Found so far**", "", *results]
    return harmless("\n".join([*lines, "", f"*{_used(facts)}*"]))


def status_memo(facts: StatusFacts) -> RunMemo:
    """Return the memo: the same in brief, readable without a worker."""
    memo: dict[str, object] = {"doing": excerpt(harmless(_status(facts)), LINE_BYTES), "used": _used(facts)}
    for call in facts.waiting[:1]:
        request = f"a person,{_until(call)} to approve {call.key} {call.name}: {json_summary(call.arguments)}"
        memo["waits_for"] = shortened(harmless(request), LINE_BYTES)
        memo["answer"] = approve_command(facts.workflow_id, call.key)
        if call.deadline is not None:
            memo["waits_until"] = call.deadline
    if facts.report is not None:
        memo["report"] = excerpt(harmless(facts.report.body), MEMO_REPORT_BYTES)
        if line := unsupported_line(facts.report.unsupported):
            memo["unsupported"] = shortened(harmless(line), LINE_BYTES)
    elif found := _finished(facts.calls)[-MEMO_CALLS:]:
        results = (f"{call.key} {call.name}: {_finding(call)}" for call in found)
        memo["found"] = [shortened(harmless(line), MEMO_BYTES) for line in results]
    return RunMemo.model_validate(memo)


def _until(call: CallRecord) -> str:
    return f" until {utc(call.deadline)}," if call.deadline is not None else ""


def escape_markdown(text: str) -> str:
    """Escape Markdown in text from outside, and write it as one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def _status(facts: StatusFacts) -> str:
    if facts.status == "running":
        return facts.doing
    return status_with_step(facts.status, facts.doing, facts.report.verdict if facts.report else None)


def _unsupported(report: Report) -> list[str]:
    if not report.unsupported:
        return []
    claims = (
        f"- {escape_markdown(text)}: {escape_markdown(why)}" for text, why in unsupported_list(report.unsupported)
    )
    return ["", f"**{unsupported_count(report.unsupported)}:**", "", *claims]


def _used(facts: StatusFacts) -> str:
    return ", ".join(limit_phrases(facts.spent, facts.limits)) if facts.limits else "nothing used yet"


def _finished(calls: Iterable[CallRecord]) -> list[CallRecord]:
    return [call for call in calls if call.status not in ("waiting", "running")]


def _finding(call: CallRecord) -> str:
    """Return the result of a call without the arguments that it repeats at its beginning."""
    arguments, finding = json_summary(call.arguments).split(", "), json_summary(call.finding).split(", ")
    while len(finding) > 1 and finding[0] in arguments:
        finding.pop(0)
    return ", ".join(finding)


def _call(call: CallRecord) -> str:
    failed = "" if call.status in ("ok", "waiting", "running") else f" ({call.status})"
    return f"`{call.key}` {escape_markdown(call.name)} ({escape_markdown(json_summary(call.arguments))}){failed}"


def _alert_lines(alerts: Iterable[Alert]) -> list[str]:
    """List as many alerts as fit. An alert that does not fit is listed without its links."""
    lines, bytes_left = list[str](), ALERTS_BYTES
    for alert in alerts:
        versions = (f"- {_alert(alert, max_links)}" for max_links in (LINKS, 0))
        if (line := next((line for line in versions if len(line.encode()) <= bytes_left), None)) is None:
            break
        lines.append(line)
        bytes_left -= len(line.encode())
    return lines


def _alert(alert: Alert, max_links: int) -> str:
    since = f" since {utc(alert.starts_at)}" if alert.starts_at else ""
    links = [
        f"[{escape_markdown(name)}]({link})"
        for name, link in [*alert.links.items()][:max_links]
        if _LINK.fullmatch(link)
    ]
    return " · ".join([f"{alert.status}{since}: {escape_markdown(alert.title)}", *links])


def _quoted(text: str) -> list[str]:
    return [f"> {escape_markdown(line)}" for line in excerpt(text, TEXT_BYTES).splitlines()]
