"""Taking alerts in: one living run for each group, which every alert of the group finds, whoever tells of it first.

Alerts are *signalled*, and a signal starts the run where there is none: Temporal has them for good when it answers,
whether or not a worker is alive. (An update would wait for one.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.service_matching import match_service
from watchkeeper.alerts.severity import temporal_priority, worst_severity
from watchkeeper.alerts.silence_link import silence_url
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert, AlertNotification, AlertOrigin, EpisodeMemo, PreviousEpisode, RunInput
from watchkeeper.incident.episode import firing_id, without_details
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import activity_options

SIGNAL_BYTES = 256 * 1024
"""How much one sender's notification may take with its details; of the alerts beyond it only what they are is told."""

ATTEMPTS = 3
"""How often a run may be over by the time that an alert reaches it, before the sender has to try again."""

GROUPS_AT_ONCE = 8

DispatchOutcome = Literal["started", "joined", "repeated", "ignored"]


@dataclass(frozen=True)
class DispatchResult:
    """What became of the alerts of one group."""

    outcome: DispatchOutcome
    """``joined``: told to the living run, which knows what is new; ``repeated``: a run has dealt with them."""
    alerts: int
    group: str
    title: str
    workflow_id: str | None = None
    """None where no run has anything to do with them."""
    run_id: str | None = None
    """First execution run id."""
    reason: str | None = None
    """Why they started no run, in a few words of a closed set."""
    service: str | None = None
    team: str | None = None
    severity: str | None = None


class RunClosing(Exception):
    """The last run of a group is just ending without a conclusion; what fires now must find the next one."""


@dataclass(frozen=True)
class _Last:
    """The last run of a group."""

    run_id: str
    is_open: bool
    ending: bool
    """It is open, but only until its hand-off is delivered."""
    remembered: EpisodeMemo | None
    ended_at: float
    status: str


async def dispatch_alerts(
    client: Client, settings: Settings, source: Source[Any], received: ParsedPayload, at: float
) -> list[DispatchResult]:
    """Give alerts to the runs of their groups, starting those there are not. When this returns, Temporal has them.

    Args:
        client: Of the namespace in which the runs are.
        settings: The operator's: the catalogue of services, and the task queue.
        source: Who sent them.
        received: What it sent.
        at: When it came, in Unix seconds.

    Raises:
        RPCError: Temporal did not take them all. What it took stays taken; sending all of them again is harmless.
        RunClosing: Likewise, for a moment.
        TemporalError: The namespace lacks what runs are listed by, and it cannot be registered.
    """
    groups: dict[str, list[Alert]] = {}
    for alert in received.alerts:
        groups.setdefault(alert.group, []).append(alert)
    places = asyncio.Semaphore(GROUPS_AT_ONCE)

    async def one(alerts: list[Alert]) -> DispatchResult:
        async with places:
            return await _admit_group(client, settings, source, alerts, received.notes, at)

    taken = await asyncio.gather(*map(one, groups.values()), return_exceptions=True)
    for result in taken:  # every group is tried before one of them is complained about
        if isinstance(result, BaseException):
            raise result
    return [result for result in taken if isinstance(result, DispatchResult)]


async def _admit_group(
    client: Client, settings: Settings, source: Source[Any], alerts: list[Alert], notes: list[str], at: float
) -> DispatchResult:
    run = workflow_id(alerts[0])
    reasons = {why for alert in alerts if (why := reason_not_to_start(alert, source.section)) is not None}
    starting = [alert for alert in alerts if reason_not_to_start(alert, source.section) is None]
    given = alert_run_input(settings, source, starting or alerts)
    besides = {"notes": notes, "silence": silence_url(given.origin, alerts)}
    told = AlertNotification(alerts=_lightened(alerts), at=at)
    told = told.model_copy(update={name: said for name, said in besides.items() if said})
    about = _Facts(given, alerts, run)
    for _ in range(ATTEMPTS):
        last = await _last(client, run)
        if last is not None and last.ending and starting:
            raise RunClosing(f"the last run of {run} is ending; send the alert again in a moment")
        if last is not None and last.is_open:
            if await _signal(client, run, told):
                return about.admitted("joined", last.run_id)
            continue
        if not starting:
            return about.admitted("ignored", None, ", ".join(sorted(reasons)))
        known = set(last.remembered.marks) if last and last.remembered else set[str]()
        if all(firing_id(alert) in known for alert in starting):
            return about.admitted("repeated", last.run_id if last else None, "a run has dealt with it")
        assert given.origin is not None, "an alert starts it"
        origin = given.origin.model_copy(update={"previous": _previous(last)}) if last else given.origin
        run_id = await _start(client, given.model_copy(update={"origin": origin}), run, told, settings)
        return about.admitted("started", run_id)
    raise RunClosing(f"the runs of {run} end as fast as alerts come; send the alert again in a moment")


@dataclass(frozen=True)
class _Facts:
    given: RunInput
    alerts: list[Alert]
    run: str

    def admitted(self, outcome: DispatchOutcome, run_id: str | None, reason: str | None = None) -> DispatchResult:
        origin = self.given.origin
        return DispatchResult(
            outcome,
            len(self.alerts),
            self.alerts[0].group,
            runs_client.first_line(self.given.text),
            workflow_id=self.run if run_id else None,
            run_id=run_id,
            reason=reason,
            service=self.given.service,
            team=origin.team if origin else None,
            severity=self.given.severity,
        )


def alert_run_input(settings: Settings, source: Source[Any], alerts: Sequence[Alert]) -> RunInput:
    """Say what a run is about: the worst of its alerts in one line; the alerts themselves come by signal."""
    severity = worst_severity(*(alert.severity for alert in alerts))
    first = next((alert for alert in alerts if alert.severity == severity), alerts[0])
    services = (match_service(alert, settings.services, source.section.service_labels) for alert in [first, *alerts])
    service = next((name for name in services if name), None)
    owner = settings.services[service].team if service else None
    team = first.team if first.team in settings.catalogue["team"] else owner
    others = f" (and {len(alerts) - 1} more)" if len(alerts) > 1 else ""
    known: dict[str, object] = {"source": source.name, "kind": source.section.kind, "group": first.group, "team": team}
    facts = {
        "text": f"{first.title}{others}",
        "service": service,
        "severity": severity,
        "origin": AlertOrigin.model_validate({name: fact for name, fact in known.items() if fact}),
    }
    return RunInput.model_validate({name: fact for name, fact in facts.items() if fact})


def _lightened(alerts: Sequence[Alert]) -> list[Alert]:
    """Leave the details out of those alerts of a notification for which there is no room."""
    room, light = SIGNAL_BYTES, list[Alert]()
    for alert in alerts:
        room -= len(canonical_json(alert.model_dump(mode="json", exclude_unset=True)))
        light.append(alert if room > 0 else without_details(alert))
    return light


async def _last(client: Client, run: str) -> _Last | None:
    try:
        description = await runs_client.describe_run(client, run)
    except runs_client.NoSuchRun:
        return None
    info = description.workflow_execution_info
    is_open = not info.HasField("close_time")
    found = await runs_client.run_info(client, info)
    remembered = await runs_client.read_memo(client, info, "episode", EpisodeMemo)
    return _Last(
        run_id=info.first_run_id or info.execution.run_id,
        is_open=is_open,
        ending=is_open and remembered is not None and remembered.status != "concluded",
        remembered=remembered,
        ended_at=info.close_time.ToDatetime(tzinfo=UTC).timestamp() if not is_open else 0.0,
        status=found.status,
    )


def _previous(last: _Last) -> PreviousEpisode:
    known = last.remembered
    return PreviousEpisode(
        run=last.run_id,
        status=known.status if known else "failed",
        summary=known.summary if known else f"it ended without a report ({last.status})",
        ended_at=last.ended_at,
        began=known.began if known else [],
    )


async def _signal(client: Client, run: str, told: AlertNotification) -> bool:
    """Tell a run that is open; False if it is over by now."""
    try:
        await client.get_workflow_handle(run).signal("alert", told)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def _start(client: Client, given: RunInput, run: str, told: AlertNotification, settings: Settings) -> str:
    """Start a run with its first alerts, or tell them to the one that another process started this moment."""
    handle = await runs_client.with_search_attributes(
        client,
        lambda: client.start_workflow(
            runs_client.WORKFLOW,
            given,
            id=run,
            task_queue=settings.worker.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alert",
            start_signal_args=[told],
            priority=Priority(priority_key=temporal_priority(given.severity)),
            **runs_client.start_metadata(given, team=given.origin.team if given.origin else None, alerts=told.alerts),
        ),
    )
    return handle.first_execution_run_id or handle.result_run_id or ""
