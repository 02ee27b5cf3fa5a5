"""Accounts of runs: out of recorded histories, and made by hand where a history would be long or rude."""

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
from watchkeeper.report_page.data import Account, Firing
from watchkeeper.run_view.entries import Approval, Call, FollowUp, PersonAction, Round
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.temporal.client import DATA_CONVERTER

RUNS = sorted(
    path.stem for path in HISTORIES.glob("*.json") if not path.stem.startswith("queue-") and not path.stem[-1].isdigit()
)
CHAIN = ("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
BEGAN = datetime(2026, 11, 25, 3, 12, tzinfo=UTC)


async def recorded(*names: str, most: int | None = None) -> Account:
    """Tell recorded executions, perhaps so many events of them only."""
    telling = RunProjection(DATA_CONVERTER)
    account = Account(telling.view, BEGAN)
    texts = [(HISTORIES / f"{name}.json").read_text() for name in names]
    events = [event for text in texts for event in WorkflowHistory.from_json("recorded", text).events]
    for event in events[:most]:
        for told in await telling.add(event):
            account.take(told)
        account.at = event.event_time.ToDatetime(tzinfo=UTC)
    account.complete()
    return account


def after(seconds: float) -> datetime:
    """A moment of a run made by hand."""
    return BEGAN + timedelta(seconds=seconds)


def reply(*names: str, text: str = "") -> ModelReply:
    asked = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in names]
    message: JsonObject = {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}
    usage = Usage(prompt_tokens=1_000, completion_tokens=50, cached_tokens=900, cost=0.002)
    return ModelReply(kind="tool_calls" if asked else "final", message=message, digest=digest_of(b""), usage=usage)


def made(text: str = "Checkout fails.", **given: Any) -> Account:
    """A run with nothing in it but its beginning."""
    story = RunView(workflow_id="incident-1", run_id="run-1", first_run_id="run-1", started_at=BEGAN, model="kimi")
    story.run_input = RunInput(text=text, **given)
    story.limits = Limits(rounds=2_000, tool_calls=4_000, tokens=4_000_000, duration=86_400, cost=10)
    return Account(story, after(1))


def add_round(account: Account, at: float, took: float, *calls: tuple[str, CallStatus, float]) -> None:
    """Ask the model at a time; each call has a name, a status and the seconds it takes."""
    story = account.story
    number = len(story.rounds) + 1
    answered = after(at + took)
    story.rounds.append(Round(number, after(at), answered, 1, reply=reply(*(name for name, _, _ in calls))))
    for position, (name, status, seconds) in enumerate(calls):
        call = Call(f"r{number}.{position}", number, name, '{"service":"checkout"}', status)
        call.started_at, call.ended_at = answered, answered + timedelta(seconds=seconds)
        call.result, call.attempts = '{"found":1}', 1
        story.calls[call.key] = call
    account.at = max(account.at, answered)


def close(account: Account, at: float, body: str = "**Cause:** a deploy.") -> Account:
    """End it with a report."""
    story = account.story
    story.status, story.closed_at = "concluded", after(at)
    story.report = Report(summary=body.splitlines()[0], body=body)
    account.at = after(at)
    return account


def long_run(rounds: int, seconds: float) -> Account:
    """A run of so many rounds in so many seconds, each with two calls, some of which fail."""
    account, each = made(), seconds / rounds
    for number in range(rounds):
        status: CallStatus = "error" if number % 97 == 5 else "ok"
        calls: list[tuple[str, CallStatus, float]]
        calls = [("search_logs", status, each / 4), ("get_service_health", "ok", each / 5)]
        add_round(account, number * each, each / 2, *(calls if number < rounds - 1 else []))
    return close(account, seconds)


RUDE = (
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


def hostile() -> Account:
    """A run in which everybody means harm."""
    everything = "\n".join(RUDE)
    markdown = f"""# {everything}

[press](javascript:document.title='ran') <javascript:document.title='ran'> ![see](http://outside.example/x.png)
[mail](mailto:a@b.example) [data](data:text/html,<script>document.title='ran'</script>) [x][ref]

[ref]: javascript:document.title='ran'

| a | b |
|---|--:|
| {RUDE[0]} <br> {RUDE[1]} | {RUDE[8]} |

<div style="position:fixed;inset:0">{everything}</div>

```html
{everything}
```
"""
    rude = made(everything, service=RUDE[0][:150], severity=RUDE[7], origin=_rude_origin())
    story = rude.story
    story.model = RUDE[0]
    add_round(rude, 1, 2, *_rude_calls())
    for call, text in zip(story.calls.values(), RUDE, strict=True):
        call.arguments, call.result, call.approval = text, everything, Approval("approved", None, text, text)
    story.actions += [PersonAction("tell", after(2), text[:500], text) for text in RUDE]
    story.actions += [PersonAction("decide", after(2.5), RUDE[0], RUDE[1], call="r1.0", approved=True)]
    rude.firings += [Firing(text[:9], text, text[:40], after(-30).timestamp()) for text in RUDE]
    close(rude, 9, markdown)
    story.follow_ups.append(FollowUp(1, everything, "concluded", Report(summary=RUDE[0], body=markdown), after(8)))
    story.reason = everything
    return rude


def _rude_origin() -> AlertOrigin:
    return AlertOrigin(source=RUDE[0], kind=RUDE[1], group=RUDE[4], team=RUDE[7])


def _rude_calls() -> list[tuple[str, CallStatus, float]]:
    return [(text[:400], "error", 1.0) for text in RUDE]
