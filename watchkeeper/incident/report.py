"""The report of a run: the model's conclusion, or a hand-off made from the recorded calls (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from watchkeeper.contracts import CallRecord, Evidence, Report, Review, RunInput
from watchkeeper.incident import alert_text
from watchkeeper.incident.claim_marks import mark
from watchkeeper.incident.episode import Episode
from watchkeeper.incident.phrases import CHECK_FIRST
from watchkeeper.incident.stated_verdict import without_verdict_line
from watchkeeper.incident.status_text import escape_markdown
from watchkeeper.text import excerpt, utc
from watchkeeper.thought import without_thought

EVIDENCE = 40
"""Most calls in the evidence of a report; the latest ones."""

ANSWER_BYTES = 64_000
SAID_BYTES = 20_000
UNREAD_BYTES = 32_000
"""Limits for the model's answer and for the messages that it did not read.

One workflow task schedules the deliveries of a report to all destinations, and Temporal terminates a run whose task
takes more than 4 MiB. A control character takes six bytes in JSON.
"""

_OUTCOMES = {
    "ok": "",
    "waiting": " (was waiting for approval)",
    "running": f" (in flight when the run ended: {CHECK_FIRST})",
    "unknown": f" ({CHECK_FIRST})",
}


@dataclass(frozen=True)
class AlertFacts:
    """What a report says about its alerts, independent of the model."""

    recovered_at: str | None = None
    first: list[str] = field(default_factory=list)
    """Markdown before the conclusion: recovery and flapping."""
    last: list[str] = field(default_factory=list)
    """Markdown after the conclusion: a line for each alert."""


def alert_facts(run_input: RunInput, episode: Episode, *, flapping: int = 0) -> AlertFacts:
    """Return the state of a run's alerts. ``flapping``: number of recent episodes if the group flaps, else 0."""
    if run_input.origin is None:
        return AlertFacts()
    recovered, first = utc(episode.recovered_at), list[str]()
    if unknown := run_input.origin.unknown_service:
        name = escape_markdown(unknown)
        first += [f"**Unknown service:** the catalogue does not name {name}; no team is known to own it.", ""]
    if recovered:
        first += [f"**Recovered** at {recovered}: every alert of the group is resolved.", ""]
    if flapping:
        first += [f"**Flapping:** this is episode {flapping} of the group in a short time.", ""]
    if episode.refired:
        first += [f"**Flapping:** its alerts fired again {episode.refired} times within this episode.", ""]
    more = [f"- and {episode.untracked} that could not be distinguished"] if episode.untracked else []
    if episode.unlisted:
        more.append(f"- {episode.unlisted} alerts that the notification did not list may fire too")
    return AlertFacts(recovered, first, ["**Alerts:**", "", *alert_text.for_people(episode.states), *more])


def concluded_report(
    text: str,
    calls: Sequence[CallRecord],
    unread: Sequence[str] = (),
    alerts: AlertFacts | None = None,
    review: Review | None = None,
    facts: Sequence[str] = (),
) -> Report:
    """Return the report of a conclusion, with the messages that the model did not read and the state of the alerts.

    Claims that the ``review`` found unsupported are marked. ``facts`` is the block that code writes under the report.
    """
    alerts, review = alerts or AlertFacts(), review or Review()
    text = excerpt(without_thought(text).strip(), ANSWER_BYTES)
    marked = mark(text, review.unsupported)
    parts = [[*alerts.first, marked, *_unread(unread)], alerts.last, facts]
    body = "\n\n".join("\n".join(part) for part in parts if part)
    summary = _first_line(without_verdict_line(marked))
    if alerts.recovered_at:
        summary = excerpt(f"Recovered at {alerts.recovered_at}: {summary}", 400)
    report = Report(summary=summary, body=body, evidence=_evidence(calls))
    found = {"verdict": review.verdict, "unsupported": review.unsupported}
    return report.model_copy(update={name: value for name, value in found.items() if value})


def hand_off_report(
    run_input: RunInput,
    calls: Sequence[CallRecord],
    reason: str,
    said: str = "",
    unread: Sequence[str] = (),
    alerts: AlertFacts | None = None,
    review: Review | None = None,
    facts: Sequence[str] = (),
) -> Report:
    """Return a report without a conclusion, from which a person can take over.

    ``said`` is the last answer of the model, if it gave one, ``review`` what code found in it.
    """
    unsupported = review.unsupported if review else []
    subject = run_input.service or "incident"
    lines = [
        f"**No conclusion:** {reason.rstrip('.')}.",
        "",
        "**Asked:**",
        "",
        *_quoted(excerpt(run_input.text, 2_000)),
        "",
        *([*alerts.first, *alerts.last, ""] if alerts else []),
    ]
    if calls:
        lines += ["**Done so far:**", ""]
        if len(calls) > EVIDENCE:
            lines.append("- (earlier calls are left out)")
        lines += [_line(call) for call in calls[-EVIDENCE:]]
    else:
        lines.append("**Done so far:** no tool was called.")
    if said := without_thought(said).strip():
        quoted = _quoted(mark(excerpt(said, SAID_BYTES), unsupported))
        lines += ["", "**What the model had answered, not a conclusion:**", "", *quoted]
    lines += _unread(unread)
    lines += ["", "**Next step:** a person takes over from here; nothing else will act on this run."]
    lines += ["", *facts] if facts else []
    summary = excerpt(f"{subject}: no conclusion, {reason}", 300)
    report = Report(summary=summary, body="\n".join(lines), evidence=_evidence(calls))
    return report.model_copy(update={"unsupported": unsupported}) if unsupported else report


def _unread(messages: Sequence[str]) -> list[str]:
    """Quote the messages that came too late for the model."""
    if not messages:
        return []
    quoted = "\n".join(line for text in messages for line in _quoted(text))
    return ["", "**Messages that came too late for the model:**", "", excerpt(quoted, UNREAD_BYTES)]


def _line(call: CallRecord) -> str:
    outcome = _OUTCOMES.get(call.status, f" ({call.status})")
    finding = f": {call.finding}" if call.finding else ""
    return f"- `{call.key}` {call.name} `{call.arguments}`{outcome}{finding}"


def _quoted(text: str) -> list[str]:
    return [f"> {line}" for line in text.splitlines()]


def _evidence(calls: Sequence[CallRecord]) -> list[Evidence]:
    return [
        Evidence(call=call.key, tool=call.name, arguments=call.arguments, finding=call.finding)
        for call in calls[-EVIDENCE:]
        if call.status == "ok"
    ]


def _first_line(text: str) -> str:
    for line in text.splitlines():
        if any(map(str.isalnum, line)):
            return excerpt(line.strip("#*_ \t").replace("**", ""), 300)
    return "concluded"
