"""The report of a run: the model's own words when it concluded, else what was recorded (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from watchkeeper.contracts import CallRecord, Evidence, Report, RunInput
from watchkeeper.incident import alert_text
from watchkeeper.incident.episode import Episode
from watchkeeper.text import excerpt, utc, without_thought

EVIDENCE = 40
"""How many calls, the latest ones, a report rests on at most."""

ANSWER_BYTES = 64_000
WORDS_BYTES = 32_000
"""Most of the model's answer, and of what people said too late for it, that a report repeats.

A report goes to all four destinations in one step of its run, and Temporal terminates a run whose step takes 4 MiB.
A control character takes six bytes in JSON.
"""

_OUTCOMES = {
    "ok": "",
    "waiting": " (was waiting for approval)",
    "running": " (in flight when the run ended: may or may not have taken effect; check before doing it again)",
    "unknown": " (may or may not have taken effect; check before doing it again)",
}


@dataclass(frozen=True)
class AlertFacts:
    """What a report says of its alerts whatever the model says."""

    recovered_at: str | None = None
    first: list[str] = field(default_factory=list)
    """Markdown: the recovery and the flapping, which come before everything else."""
    last: list[str] = field(default_factory=list)
    """Markdown: a line for each alert."""


def alert_facts(given: RunInput, episode: Episode, *, flapping: int = 0) -> AlertFacts:
    """Say how the alerts of a run stand; ``flapping``: which episode of a short time it is, where the group flaps."""
    if given.origin is None:
        return AlertFacts()
    recovered, first = utc(episode.recovered_at), []
    if recovered:
        first += [f"**Recovered** at {recovered}: every alert of the group is resolved.", ""]
    if flapping:
        first += [f"**Flapping:** this is episode {flapping} of the group in a short time.", ""]
    if episode.refired:
        first += [f"**Flapping:** its alerts fired again {episode.refired} times within this episode.", ""]
    more = [f"- and {episode.untracked} that are not told apart"] if episode.untracked else []
    return AlertFacts(recovered, first, ["**Alerts:**", "", *alert_text.for_people(episode.states), *more])


def concluded_report(
    text: str, calls: Sequence[CallRecord], unread: Sequence[str] = (), alerts: AlertFacts | None = None
) -> Report:
    """Report what the model concluded, what people said too late for it, and how the alerts stand."""
    alerts = alerts or AlertFacts()
    text = excerpt(without_thought(text).strip(), ANSWER_BYTES)
    body = "\n".join([*alerts.first, text, *_unread(unread), *([""] if alerts.last else []), *alerts.last])
    summary = _first_line(text)
    if alerts.recovered_at:
        summary = excerpt(f"Recovered at {alerts.recovered_at}: {summary}", 400)
    return Report(summary=summary, body=body, evidence=_evidence(calls))


def hand_off_report(
    given: RunInput,
    calls: Sequence[CallRecord],
    reason: str,
    said: str = "",
    unread: Sequence[str] = (),
    alerts: AlertFacts | None = None,
) -> Report:
    """Report what is known when the model gave no conclusion, so that a person can take over.

    ``said`` is what it answered before it was told more.
    """
    subject = given.service or "incident"
    lines = [
        f"**No conclusion:** {reason.rstrip('.')}.",
        "",
        "**Asked:**",
        "",
        *_quoted(excerpt(given.text, 2_000)),
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
        lines += ["", "**What the model had answered before:**", "", *_quoted(excerpt(said, 20_000))]
    lines += _unread(unread)
    lines += ["", "**Next step:** a person takes over from here; nothing else will act on this run."]
    return Report(
        summary=excerpt(f"{subject}: no conclusion, {reason}", 300), body="\n".join(lines), evidence=_evidence(calls)
    )


def _unread(words: Sequence[str]) -> list[str]:
    """Tell what people said that the model did not read any more."""
    if not words:
        return []
    quoted = "\n".join(line for text in words for line in _quoted(text))
    return ["", "**Told too late for the model:**", "", excerpt(quoted, WORDS_BYTES)]


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
