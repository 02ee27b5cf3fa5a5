"""Start, find and list the incident runs of a Temporal namespace.

Workflows are addressed by name, so a process that only reads runs imports neither the workflow nor a model client.
"""

from __future__ import annotations

import heapq
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypedDict, TypeVar

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Alert, RunInput, RunMemo, RunStatus
from watchkeeper.incident import status_text
from watchkeeper.incident.status_rule import TemporalEnd, read_outcome, run_status
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal import activity_options
from watchkeeper.temporal import search_attributes as temporal_search_attributes
from watchkeeper.temporal.client import ensure_search_attributes
from watchkeeper.text import clean, excerpt

T = TypeVar("T")

WORKFLOW = "IncidentWorkflow"

ALL_RUNS = RunFilter()

SUMMARY_BYTES = 200
"""Longest first line of a run in a list."""

_ENDS: Mapping[int, TemporalEnd] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "Completed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "Failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "Canceled",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: "Terminated",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "TimedOut",
}
EPISODE_CHARACTERS = 8
"""Characters of a run id in the name of one episode, ``RUN@RUN_ID``."""

_RUN_ID_CHARACTERS = 36
_EPISODE = re.compile(r"(?P<run>.+)@(?P<run_id>[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?)", re.DOTALL)


class NoSuchRun(Exception):
    """No such run exists. The message names it and says what to do."""


class InvalidListQuery(Exception):
    """Temporal cannot list runs by a query. The message holds the query and the reason."""


@dataclass(frozen=True)
class RunInfo:
    """One run, as a list shows it."""

    workflow_id: str
    run_id: str
    status: RunStatus
    service: str | None
    severity: str | None
    started_at: datetime
    closed_at: datetime | None = None
    text: str | None = None
    """First line of the question or alert."""
    report: str | None = None
    """Summary of the report; None before it is written."""
    team: str | None = None
    source: str | None = None
    phase: str | None = None
    waiting_for: str | None = None
    waits_for: str | None = None
    """The person or event, and until when; only of a run that waits for approval."""
    waits_until: datetime | None = None
    """When that wait ends by itself."""
    rounds: int | None = None
    cost: float | None = None
    """US dollars; None if no price is configured."""
    unsupported: int | None = None
    """Unsupported claims of the report; None if they were not checked."""
    problem: str | None = None
    """Why its workflow tasks fail again and again, as Temporal says: ``NonDeterministicError``. None if they do not, or
    if the server does not report it."""
    undelivered: list[str] = field(default_factory=list)
    """Destinations that did not receive the report or an answer, and why."""
    paused: bool = False
    """Whether a person has paused it in Temporal."""


def new_workflow_id(service: str | None, now: datetime) -> str:
    """Return a workflow id for a new run: ``incident-checkout-20261122-141503-4f2a``."""
    slug = re.sub(r"[^a-z0-9]+", "-", (service or "").lower()).strip("-")[:40]
    parts = ["incident", slug, f"{now:%Y%m%d-%H%M%S}", secrets.token_hex(2)]
    return "-".join(part for part in parts if part)


async def start_run(client: Client, run_input: RunInput, settings: Settings, run: str | None = None) -> RunInfo:
    """Start a run for a person.

    With a workflow id in ``run``, an existing run of that id is returned instead of a new one. The workflow has no
    retry policy: a failed run has already delivered its hand-off, and a second one would page people again.

    Raises RPCError and TemporalError.
    """
    now = datetime.now(UTC)
    conflict = WorkflowIDConflictPolicy.USE_EXISTING if run else WorkflowIDConflictPolicy.FAIL
    try:
        handle = await with_search_attributes(
            client,
            lambda: client.start_workflow(
                WORKFLOW,
                run_input,
                id=run or new_workflow_id(run_input.service, now),
                task_queue=settings.worker.task_queue,
                task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=conflict,
                **start_metadata(run_input, team=settings.team_of(run_input.service)),
            ),
        )
    except WorkflowAlreadyStartedError as error:
        if run is None:
            raise
        return await find_run(client, error.workflow_id)
    run_id, summary = handle.first_execution_run_id or "", first_line(run_input.text)
    return RunInfo(handle.id, run_id, "running", run_input.service, run_input.severity, now, text=summary)


async def with_search_attributes(client: Client, attempt: Callable[[], Awaitable[T]]) -> T:
    """Call ``attempt``; if the namespace lacks the search attributes of runs, register them and call it again."""
    try:
        return await attempt()
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            raise
        await ensure_search_attributes(client)
        return await attempt()


class StartMetadata(TypedDict):
    """Keyword arguments of ``Client.start_workflow`` that describe a run in lists and in the Temporal UI."""

    memo: dict[str, str]
    search_attributes: TypedSearchAttributes
    static_summary: str
    static_details: str


def start_metadata(run_input: RunInput, *, team: str | None, alerts: Sequence[Alert] = ()) -> StartMetadata:
    """Return the memo, search attributes, summary and details of a new run.

    Args:
        run_input: Input of the run.
        team: Team that owns the incident.
        alerts: Alerts that start the run; none if a person does.
    """
    source = run_input.origin.source if run_input.origin else temporal_search_attributes.PERSON
    attributes: tuple[tuple[temporal_search_attributes.Key, str | None], ...] = (
        (temporal_search_attributes.SERVICE, run_input.service),
        (temporal_search_attributes.SEVERITY, run_input.severity),
        (temporal_search_attributes.TEAM, team),
        (temporal_search_attributes.SOURCE, source),
        (temporal_search_attributes.PHASE, "starting"),
    )
    pairs = [SearchAttributePair(key, value) for key, value in attributes if value]
    return StartMetadata(
        memo={"text": first_line(run_input.text)},
        search_attributes=TypedSearchAttributes(pairs),
        static_summary=status_text.summary_line(run_input, first_line(run_input.text)),
        static_details=status_text.start_details(run_input, team, alerts),
    )


def first_line(text: str) -> str:
    """Return the first non-empty line of a text, shortened for a list."""
    line = next((line for line in clean(text).splitlines() if line.strip()), "")
    return excerpt(" ".join(line.split()), SUMMARY_BYTES)


def split_run_name(run: str) -> tuple[str, str]:
    """Split ``RUN@RUN_ID`` into workflow id and run id; the run id may be shortened, and is empty if absent."""
    match = _EPISODE.fullmatch(run)
    return (match["run"], match["run_id"]) if match else (run, "")


async def find_run(client: Client, run: str) -> RunInfo:
    """Return the latest execution of a run, or the one of ``RUN@RUN_ID``. Raises NoSuchRun and RPCError."""
    return await run_info(client, (await describe_run(client, run)).workflow_execution_info)


async def describe_run(
    client: Client, run: str, types: Collection[str] = (WORKFLOW,)
) -> DescribeWorkflowExecutionResponse:
    """Describe the latest execution of a run, or the one of ``RUN@RUN_ID``.

    Returns the raw response of the server, because the SDK fails to read a paused workflow. Raises NoSuchRun and
    RPCError.
    """
    workflow_id, run_id = split_run_name(run)
    if 0 < len(run_id) < _RUN_ID_CHARACTERS:
        run_id = await _episode(client, run)
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    try:
        description = await client.workflow_service.describe_workflow_execution(request, retry=True)
    except RPCError as error:
        if error.status not in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            raise
        raise NoSuchRun(_no_such(client, run)) from error
    if description.workflow_execution_info.type.name not in types:
        raise NoSuchRun(f"{run!r} is not an incident run; `watchkeeper list` shows the incident runs")
    return description


async def _episode(client: Client, run: str) -> str:
    """Complete the shortened run id of ``RUN@RUN_ID``. Raises NoSuchRun and RPCError."""
    workflow_id, beginning = split_run_name(run)
    run_ids = [run.run_id async for run in list_runs(client, RunFilter(workflow_id=workflow_id))]
    (first, *others) = [run_id for run_id in run_ids if run_id.startswith(beginning)] or [""]
    if not first:
        raise NoSuchRun(_no_such(client, run))
    if others:
        raise NoSuchRun(f"{run!r} is ambiguous; write {workflow_id}@{first}, or {', '.join(others)}")
    return first


async def list_runs(client: Client, run_filter: RunFilter = ALL_RUNS) -> AsyncIterator[RunInfo]:
    """Yield the runs that match a filter, the newest first. A run that continued as new appears once.

    Temporal lists open runs first and then closed runs by the time they closed. A run cannot close before it starts.
    So when the list reaches a run that closed at a time T, no run that started after T can follow.

    Raises InvalidListQuery and RPCError.
    """
    async for info in _newest_first(_list_executions(client, run_filter)):
        yield await run_info(client, info)


async def _newest_first(executions: AsyncIterator[WorkflowExecutionInfo]) -> AsyncIterator[WorkflowExecutionInfo]:
    """Sort executions by their start, without reading more of them than that takes."""
    started: list[tuple[int, str, WorkflowExecutionInfo]] = []
    listed = set[str]()
    async for info in executions:
        if (run_id := info.execution.run_id) in listed:  # it closed between two pages, and so moved to a later one
            continue
        listed.add(run_id)
        if info.HasField("close_time"):
            while started and -started[0][0] > info.close_time.ToNanoseconds():
                yield heapq.heappop(started)[2]
        heapq.heappush(started, (-info.start_time.ToNanoseconds(), run_id, info))
    while started:
        yield heapq.heappop(started)[2]


async def _list_executions(client: Client, run_filter: RunFilter) -> AsyncIterator[WorkflowExecutionInfo]:
    clauses = [f"WorkflowType = '{WORKFLOW}'", "ExecutionStatus != 'ContinuedAsNew'", *run_filter.clauses()]
    query, token = " AND ".join(clauses), b""
    while True:
        request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, next_page_token=token)
        try:
            # client.list_workflows fails for the whole list if one run is paused: the SDK does not know that status.
            page = await client.workflow_service.list_workflow_executions(request, retry=True)
        except RPCError as error:
            if error.status != RPCStatusCode.INVALID_ARGUMENT or run_filter.query is None:
                raise
            why = excerpt(error.message, 500)
            raise InvalidListQuery(
                f"Temporal cannot list by {run_filter.query!r}: {why}. An example of a valid query: CostUsd > 1"
            ) from error
        for info in page.executions:
            yield info
        if not (token := page.next_page_token):
            return


async def run_info(client: Client, info: WorkflowExecutionInfo) -> RunInfo:
    """Convert what the server returns about a run."""
    indexed = info.search_attributes.indexed_fields
    outcome, end = read_keyword(indexed, temporal_search_attributes.OUTCOME), _ENDS.get(info.status)
    waiting_for = read_keyword(indexed, temporal_search_attributes.WAITING_FOR) if end is None else None
    now = await read_memo(client, info, "now", RunMemo) if waiting_for == "approval" else None
    rounds = _number(indexed, temporal_search_attributes.ROUNDS)
    unsupported = _number(indexed, temporal_search_attributes.UNSUPPORTED_CLAIMS)
    return RunInfo(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        status=run_status(read_outcome(outcome), end),
        service=read_keyword(indexed, temporal_search_attributes.SERVICE),
        severity=read_keyword(indexed, temporal_search_attributes.SEVERITY),
        started_at=info.start_time.ToDatetime(tzinfo=UTC),
        closed_at=info.close_time.ToDatetime(tzinfo=UTC) if info.HasField("close_time") else None,
        text=await read_memo(client, info, "text", str),
        report=await read_memo(client, info, "report", str),
        undelivered=await read_memo(client, info, "undelivered", list[str]) or [],
        team=read_keyword(indexed, temporal_search_attributes.TEAM),
        source=read_keyword(indexed, temporal_search_attributes.SOURCE),
        phase=read_keyword(indexed, temporal_search_attributes.PHASE),
        waiting_for=waiting_for,
        waits_for=now.waits_for if now else None,
        waits_until=datetime.fromtimestamp(now.waits_until, UTC) if now and now.waits_until else None,
        rounds=None if rounds is None else int(rounds),
        cost=_number(indexed, temporal_search_attributes.COST_USD),
        unsupported=None if unsupported is None else int(unsupported),
        problem=_problem(indexed) if end is None else None,
        paused=info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
    )


async def read_memo(client: Client, info: WorkflowExecutionInfo, name: str, kind: type[T]) -> T | None:
    """Return a field of the memo of a run; None if it is not set."""
    fields = info.memo.fields
    if name not in fields:
        return None
    (value,) = await client.data_converter.decode([fields[name]], [kind])
    return value  # type: ignore[no-any-return]


def read_keyword(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> str | None:
    """Return a keyword search attribute; None if it is not set. The server sends a string or a list of one string."""
    value = _indexed(indexed, key)
    return str(value) if value else None


def _number(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> float | None:
    value = _indexed(indexed, key)
    return float(value) if isinstance(value, int | float) else None


def _problem(indexed: Mapping[str, Payload]) -> str | None:
    """Return the cause in ``["category=WorkflowTaskFailed", "cause=WorkflowTaskFailedCauseNonDeterministicError"]``."""
    if (payload := indexed.get(temporal_search_attributes.REPORTED_PROBLEMS)) is None or not payload.data:
        return None
    value = json.loads(payload.data)
    values = [str(one) for one in (value if isinstance(value, list) else [value]) if one]
    if not values:
        return None
    cause = next((one for one in values if one.startswith("cause=")), values[0])
    return excerpt(cause.rpartition("=")[2].rpartition("Cause")[2], SUMMARY_BYTES)


def _indexed(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> object:
    if key.name not in indexed or not indexed[key.name].data:
        return None
    value = json.loads(indexed[key.name].data)
    return (value[0] if value else None) if isinstance(value, list) else value


def _no_such(client: Client, run: str) -> str:
    shown = excerpt(run, SUMMARY_BYTES)
    return f"no run {shown!r} in the namespace {client.namespace!r}; `watchkeeper list` shows the runs"
