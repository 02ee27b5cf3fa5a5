"""The report of a run: the model's own words when it concluded, else what was recorded (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import CallRecord, Evidence, Report, RunInput
from watchkeeper.text import excerpt, without_thought

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


def concluded(text: str, calls: Sequence[CallRecord], unread: Sequence[str] = ()) -> Report:
    """Report what the model concluded, and what people said too late for it."""
    text = excerpt(without_thought(text).strip(), ANSWER_BYTES)
    body = "\n".join([text, *_unread(unread)])
    return Report(summary=_first_line(text), body=body, evidence=_evidence(calls))


def hand_off(
    given: RunInput, calls: Sequence[CallRecord], reason: str, said: str = "", unread: Sequence[str] = ()
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
