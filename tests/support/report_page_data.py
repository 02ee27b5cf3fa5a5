"""Data for reports: from recorded histories, or built by hand for long runs and hostile texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import WorkflowHistory

from tests.support.paths import HISTORIES
from watchkeeper.contracts import (
    AlertOrigin,
    CallStatus,
    JsonObject,
    Limits,
    ModelReply,
    Report,
    RunInput,
    Usage,
    digest_of,
)
from watchkeeper.report_page.report_data import AlertFiring, ReportData
from watchkeeper.run_view.entries import Approval, Call, FollowUp, PersonAction, Round
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.temporal.client import DATA_CONVERTER

RUNS = sorted(
    path.stem
    for path in HISTORIES.glob("*.json")
    if not path.stem.startswith(("queue-", "late-delivery-workflow")) and not path.stem[-1].isdigit()
)
CHAIN = ("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
BEGAN = datetime(2026, 11, 25, 3, 12, tzinfo=UTC)


async def recorded_run(*names: str, max_events: int | None = None) -> ReportData:
    """Read recorded executions, or only their first events."""
    projection = RunProjection(DATA_CONVERTER)
    data = ReportData(projection.view, BEGAN)
    texts = [(HISTORIES / f"{name}.json").read_text() for name in names]
    events = [event for text in texts for event in WorkflowHistory.from_json("recorded", text).events]
    for event in events[:max_events]:
        for change in await projection.add(event):
            data.take(change)
        data.as_of = event.event_time.ToDatetime(tzinfo=UTC)
    data.complete()
    return data


def after(seconds: float) -> datetime:
    """A time in a run that was built by hand."""
    return BEGAN + timedelta(seconds=seconds)


def reply(*names: str, text: str = "") -> ModelReply:
    asked = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in names]
    message: JsonObject = {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}
    usage = Usage(prompt_tokens=1_000, completion_tokens=50, cached_tokens=900, cost=0.002)
    return ModelReply(kind="tool_calls" if asked else "final", message=message, digest=digest_of(b""), usage=usage)


def new_run(text: str = "Checkout fails.", **fields: Any) -> ReportData:
    """A run that has only started."""
    run = RunView(workflow_id="incident-1", run_id="run-1", first_run_id="run-1", started_at=BEGAN, model="kimi")
    run.run_input = RunInput(text=text, **fields)
    run.limits = Limits(rounds=2_000, tool_calls=4_000, tokens=4_000_000, duration=86_400, cost=10)
    return ReportData(run, after(1))


def add_round(data: ReportData, at: float, duration: float, *calls: tuple[str, CallStatus, float]) -> None:
    """Add a round; each call has a name, a status and a duration in seconds."""
    run = data.run
    number = len(run.rounds) + 1
    answered = after(at + duration)
    run.rounds.append(Round(number, after(at), answered, 1, reply=reply(*(name for name, _, _ in calls))))
    for position, (name, status, seconds) in enumerate(calls):
        call = Call(f"r{number}.{position}", number, name, '{"service":"checkout"}', status)
        call.started_at, call.ended_at = answered, answered + timedelta(seconds=seconds)
        call.result, call.attempts = '{"found":1}', 1
        run.calls[call.key] = call
    data.as_of = max(data.as_of, answered)


def conclude(data: ReportData, at: float, body: str = "**Cause:** a deploy.") -> ReportData:
    """Close the run with a report."""
    run = data.run
    run.outcome, run.end, run.closed_at = "concluded", "Completed", after(at)
    run.report = Report(summary=body.splitlines()[0], body=body)
    data.as_of = after(at)
    return data


def long_run(rounds: int, seconds: float) -> ReportData:
    """A concluded run of a number of rounds. All except the last have two calls, and some of these fail."""
    data, each = new_run(), seconds / rounds
    for number in range(rounds):
        status: CallStatus = "error" if number % 97 == 5 else "ok"
        calls: list[tuple[str, CallStatus, float]]
        calls = [("search_logs", status, each / 4), ("get_service_health", "ok", each / 5)]
        add_round(data, number * each, each / 2, *(calls if number < rounds - 1 else []))
    return conclude(data, seconds)


HOSTILE_TEXTS = (
    "<script>document.title='ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "<svg onload=\"document.title='ran'\">",
    '"><iframe src="http://outside.example/">',
    "</style></title></pre></textarea><script>document.title='ran'</script>",
    "]]>{{7*7}}${7*7}&amp;&lt;",
    "\x1b[31mred\x07\x00\u202eesrever\u2066",
    "עברית והערבית العربية",
    "W" * 5_000,
    "漢字" * 400,
)


def hostile_run() -> ReportData:
    """A run in which every text is an attack."""
    everything = "\n".join(HOSTILE_TEXTS)
    markdown = f"""# {everything}

[press](javascript:document.title='ran') <javascript:document.title='ran'> ![see](http://outside.example/x.png)
[mail](mailto:a@b.example) [data](data:text/html,<script>document.title='ran'</script>) [x][ref]

[ref]: javascript:document.title='ran'

| a | b |
|---|--:|
| {HOSTILE_TEXTS[0]} <br> {HOSTILE_TEXTS[1]} | {HOSTILE_TEXTS[8]} |

<div style="position:fixed;inset:0">{everything}</div>

```html
{everything}
```
"""
    data = new_run(everything, service=HOSTILE_TEXTS[0][:150], severity=HOSTILE_TEXTS[7], origin=_hostile_origin())
    run = data.run
    run.model = HOSTILE_TEXTS[0]
    add_round(data, 1, 2, *_hostile_calls())
    for call, text in zip(run.calls.values(), HOSTILE_TEXTS, strict=True):
        call.arguments, call.result, call.approval = text, everything, Approval("approved", None, text, text)
    run.actions += [PersonAction("tell", after(2), text[:500], text) for text in HOSTILE_TEXTS]
    run.actions += [PersonAction("decide", after(2.5), HOSTILE_TEXTS[0], HOSTILE_TEXTS[1], call="r1.0", approved=True)]
    data.firings += [AlertFiring(text[:9], text, text[:40], after(-30)) for text in HOSTILE_TEXTS]
    conclude(data, 9, markdown)
    run.follow_ups.append(
        FollowUp(1, everything, "concluded", Report(summary=HOSTILE_TEXTS[0], body=markdown), after(8))
    )
    run.reason = everything
    return data


def _hostile_origin() -> AlertOrigin:
    return AlertOrigin(source=HOSTILE_TEXTS[0], kind=HOSTILE_TEXTS[1], group=HOSTILE_TEXTS[4], team=HOSTILE_TEXTS[7])


def _hostile_calls() -> list[tuple[str, CallStatus, float]]:
    return [(text[:400], "error", 1.0) for text in HOSTILE_TEXTS]
