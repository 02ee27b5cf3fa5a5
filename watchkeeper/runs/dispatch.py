"""Dispatch alerts to runs: each alert group has at most one open run, and every alert of the group goes to it.

Alerts are sent by signal-with-start. Temporal stores a signal durably before it answers, even if no worker runs. An
update would need a worker.
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
from watchkeeper.alerts.service_lookup import match_service, unknown_service
from watchkeeper.alerts.severity import temporal_priority, worst_severity
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import (
    Alert,
    AlertNotification,
    AlertOrigin,
    EpisodeMemo,
    PreviousEpisode,
    RunInput,
    RunStatus,
)
from watchkeeper.incident.handled_firings import are_handled
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.group_payloads import MAX_DETAILED, group_payloads
from watchkeeper.runs.notifications import notifications
from watchkeeper.temporal import activity_options

ATTEMPTS = 3
"""How often to try again when the run closes before the signal arrives. After that the sender must try again."""

DispatchOutcome = Literal["started", "joined", "repeated", "ignored"]


@dataclass(frozen=True)
class DispatchResult:
    """What happened to the alerts of one group."""

    outcome: DispatchOutcome
    """``joined``: signalled to the open run. ``repeated``: an earlier run has already reported these firings."""
    alerts: int
    """Number of alerts that were read."""
    group: str
    title: str
    workflow_id: str | None = None
    """None if no run concerns these alerts."""
    run_id: str | None = None
    """First execution run id."""
    reason: str | None = None
    """Why the alerts started no run, as one of a few fixed texts."""
    service: str | None = None
    unknown_service: str | None = None
    """What the alerts call a service that the catalogue does not name."""
    team: str | None = None
    severity: str | None = None
    left_out: int = 0
    """Alerts of the group that the body held and that were not read."""


class RunClosing(Exception):
    """The latest run of a group is about to close without a conclusion. New alerts must start the next run."""


@dataclass(frozen=True)
class _LatestRun:
    """The latest run of a group."""

    run_id: str
    is_open: bool
    is_closing: bool
    """It is open, but only until its hand-off is delivered."""
    episode: EpisodeMemo | None
    ended_at: float
    status: RunStatus


async def dispatch_alerts(
    client: Client, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float
) -> list[DispatchResult]:
    """Send alerts to the runs of their groups, and start the missing runs. Temporal holds all alerts on return.

    Args:
        client: Client of the namespace of the runs.
        settings: Settings with the service catalogue and the task queue.
        source: Source that sent the alerts.
        payload: Alerts and notes of one request.
        received_at: Unix seconds.

    Raises:
        RPCError: Temporal did not accept every alert. It keeps those it accepted; sending all of them again is safe.
        RunClosing: The same, until the closing run has closed.
        TemporalError: The search attributes of runs are missing and cannot be registered.
    """
    groups = group_payloads(payload, source.section)
    return [await _dispatch_group(client, settings, source, group, received_at) for group in groups]


async def _dispatch_group(
    client: Client, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float
) -> DispatchResult:
    if len(payload.alerts) > MAX_DETAILED:  # it takes too long for the event loop
        group = await asyncio.to_thread(_Group.of, settings, source, payload, received_at)
    else:
        group = _Group.of(settings, source, payload, received_at)
    run, run_input, starting, signals = group.run, group.run_input, group.starting, group.signals
    for _ in range(ATTEMPTS):
        latest = await _latest_run(client, run)
        if latest is not None and latest.is_closing and starting:
            raise RunClosing(f"the last run of {run} is delivering its hand-off; send the alert again in a moment")
        if latest is not None and latest.is_open:
            if await _signal(client, run, signals):
                return group.result("joined", latest.run_id)
            continue
        if not starting:
            return group.result("ignored", None, ", ".join(sorted(group.reasons)))
        if latest and latest.episode and are_handled(starting, latest.episode, received_at):
            return group.result("repeated", latest.run_id, "a run has already reported it")
        assert run_input.origin is not None, "alert_run_input sets it"
        origin = run_input.origin
        if latest:
            origin = origin.model_copy(update={"previous": _previous_episode(latest)})
        started = run_input.model_copy(update={"origin": origin})
        run_id = await _start(client, started, run, signals[0], settings, group.alerts)
        if await _signal(client, run, signals[1:]):
            return group.result("started", run_id)
    raise RunClosing(f"the runs of {run} close as fast as alerts arrive; send the alert again in a moment")


@dataclass(frozen=True)
class _Group:
    run_input: RunInput
    alerts: list[Alert]
    starting: list[Alert]
    """The alerts that start a run."""
    reasons: set[str]
    """Why the others start none."""
    signals: list[AlertNotification]
    run: str
    left_out: int

    @classmethod
    def of(cls, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float) -> _Group:
        """Return what is sent about a group."""
        alerts, starting, reasons = payload.alerts, list[Alert](), set[str]()
        for alert in alerts:
            if (reason := reason_not_to_start(alert, source.section)) is None:
                starting.append(alert)
            else:
                reasons.add(reason)
        key = payload.opened_keys.get(alerts[0].group)
        return cls(
            alert_run_input(settings, source, starting or alerts, key),
            alerts,
            starting,
            reasons,
            notifications(payload, source.section.kind, received_at),
            workflow_id(alerts[0]),
            payload.left_out.get(alerts[0].group, 0),
        )

    def result(self, outcome: DispatchOutcome, run_id: str | None, reason: str | None = None) -> DispatchResult:
        origin = self.run_input.origin
        return DispatchResult(
            outcome,
            len(self.alerts),
            self.alerts[0].group,
            runs_client.first_line(self.run_input.text),
            workflow_id=self.run if run_id else None,
            run_id=run_id,
            reason=reason,
            service=self.run_input.service,
            unknown_service=origin.unknown_service if origin else None,
            team=origin.team if origin else None,
            severity=self.run_input.severity,
            left_out=self.left_out,
        )


def alert_run_input(
    settings: Settings, source: Source[Any], alerts: Sequence[Alert], opened_key: str | None = None
) -> RunInput:
    """Return the input of a run: the title of its worst alert. The alerts themselves are sent by signal.

    ``opened_key`` is the deduplication key of the PagerDuty incident that the sender opens for these alerts.
    """
    severity = worst_severity(*(alert.severity for alert in alerts))
    first = next((alert for alert in alerts if alert.severity == severity), alerts[0])
    labels = source.section.service_labels
    services = (match_service(alert, settings.services, labels) for alert in [first, *alerts])
    service = next((name for name in services if name), None)
    named = (unknown_service(alert, labels) for alert in [first, *alerts])
    unknown = None if service else next((name for name in named if name), None)
    owner = settings.services[service].team if service else None
    team = first.team if first.team in settings.catalogue["team"] else owner
    others = f" (and {len(alerts) - 1} more)" if len(alerts) > 1 else ""
    origin: dict[str, object] = {"source": source.name, "kind": source.section.kind, "group": first.group, "team": team}
    origin["unknown_service"] = unknown
    joins = source.section.joins_pagerduty
    if opened_key is not None and joins is not False:
        origin |= {"opened_key": opened_key, "surely_opened": joins or source.section.kind == "pagerduty"}
    fields = {
        "text": f"{first.title}{others}",
        "service": service,
        "severity": severity,
        "origin": AlertOrigin.model_validate({name: value for name, value in origin.items() if value}),
    }
    return RunInput.model_validate({name: value for name, value in fields.items() if value})


async def _latest_run(client: Client, run: str) -> _LatestRun | None:
    try:
        description = await runs_client.describe_run(client, run)
    except runs_client.NoSuchRun:
        return None
    info = description.workflow_execution_info
    is_open = not info.HasField("close_time")
    latest = await runs_client.run_info(client, info)
    episode = await runs_client.read_memo(client, info, "episode", EpisodeMemo)
    return _LatestRun(
        run_id=info.first_run_id or info.execution.run_id,
        is_open=is_open,
        is_closing=is_open and episode is not None and episode.status != "concluded",
        episode=episode,
        ended_at=info.close_time.ToDatetime(tzinfo=UTC).timestamp() if not is_open else 0.0,
        status=latest.status,
    )


def _previous_episode(latest: _LatestRun) -> PreviousEpisode:
    episode = latest.episode
    return PreviousEpisode(
        run=latest.run_id,
        status=episode.status if episode else latest.status,
        summary=episode.summary if episode else f"it ended without a report ({latest.status})",
        ended_at=latest.ended_at,
        began=episode.began if episode else [],
        messages=episode.messages if episode else [],
    )


async def _signal(client: Client, run: str, notifications: Sequence[AlertNotification]) -> bool:
    """Signal an open run. Returns False if it has closed."""
    try:
        for notification in notifications:
            await client.get_workflow_handle(run).signal("alert", notification)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def _start(
    client: Client,
    run_input: RunInput,
    run: str,
    notification: AlertNotification,
    settings: Settings,
    alerts: Sequence[Alert],
) -> str:
    """Start a run with its first alerts, or signal them to a run that another process has just started."""
    handle = await runs_client.with_search_attributes(
        client,
        lambda: client.start_workflow(
            runs_client.WORKFLOW,
            run_input,
            id=run,
            task_queue=settings.worker.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal="alert",
            start_signal_args=[notification],
            priority=Priority(priority_key=temporal_priority(run_input.severity)),
            **runs_client.start_metadata(
                run_input, team=run_input.origin.team if run_input.origin else None, alerts=alerts
            ),
        ),
    )
    return handle.first_execution_run_id or handle.result_run_id or ""
