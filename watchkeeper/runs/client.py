"""The runs of a Temporal namespace, from outside: start, find and list them.

Everything is called by name, so that a process that only looks needs neither the workflow nor a model client.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
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
from watchkeeper.contracts import Alert, RunInput
from watchkeeper.incident import status_text
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal import activity_options
from watchkeeper.temporal import search_attributes as temporal_search_attributes
from watchkeeper.temporal.client import ensure_search_attributes
from watchkeeper.text import clean, excerpt

T = TypeVar("T")

WORKFLOW = "IncidentWorkflow"

ALL_RUNS = RunFilter()

SUMMARY_BYTES = 200
"""Most of a run's first line that lists show."""

_CLOSED: Mapping[int, str] = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: "concluded",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: "failed",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: "stopped",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: "stopped",
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: "failed",
}
EPISODE_CHARACTERS = 8
"""Of a run id, by which an episode of a run is named."""

_RUN_ID_CHARACTERS = 36
_EPISODE = re.compile(r"(?P<run>.+)@(?P<run_id>[0-9a-f]{8}(?:(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})?)", re.DOTALL)


class NoSuchRun(Exception):
    """There is no such run; the text names it and the way out."""


class InvalidListQuery(Exception):
    """Temporal cannot list runs by a query; the text names it and says why."""


@dataclass(frozen=True)
class RunInfo:
    """One run as lists show it."""

    workflow_id: str
    run_id: str
    status: str
    service: str | None
    severity: str | None
    started_at: datetime
    closed_at: datetime | None = None
    text: str | None = None
    """The first line of what was asked."""
    report: str | None = None
    """The summary of the report, once there is one."""
    team: str | None = None
    source: str | None = None
    phase: str | None = None
    waiting_for: str | None = None
    rounds: int | None = None
    cost: float | None = None
    """US dollars; None where no price is configured."""


def new_workflow_id(service: str | None, now: datetime) -> str:
    """Name a new run: ``incident-checkout-20261122-141503-4f2a``."""
    slug = re.sub(r"[^a-z0-9]+", "-", (service or "").lower()).strip("-")[:40]
    parts = ["incident", slug, f"{now:%Y%m%d-%H%M%S}", secrets.token_hex(2)]
    return "-".join(part for part in parts if part)


async def start_run(client: Client, given: RunInput, settings: Settings, run: str | None = None) -> RunInfo:
    """Start a run that no alert asks for; under the name ``run``, where one is given, only if no other has or had it.

    No retry policy: a run that failed has reported; another one would page people again.

    Raises RPCError and TemporalError.
    """
    now = datetime.now(UTC)
    conflict = WorkflowIDConflictPolicy.USE_EXISTING if run else WorkflowIDConflictPolicy.FAIL
    try:
        handle = await with_search_attributes(
            client,
            lambda: client.start_workflow(
                WORKFLOW,
                given,
                id=run or new_workflow_id(given.service, now),
                task_queue=settings.worker.task_queue,
                task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                id_conflict_policy=conflict,
                **start_metadata(given, team=settings.team_of(given.service)),
            ),
        )
    except WorkflowAlreadyStartedError as error:
        if run is None:
            raise
        return await find_run(client, error.workflow_id)
    run_id, summary = handle.first_execution_run_id or "", first_line(given.text)
    return RunInfo(handle.id, run_id, "running", given.service, given.severity, now, text=summary)


async def with_search_attributes(client: Client, attempt: Callable[[], Awaitable[T]]) -> T:
    """Make an attempt that needs the search attributes of runs, which the first one ever must register."""
    try:
        return await attempt()
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            raise
        await ensure_search_attributes(client)
        return await attempt()


class StartMetadata(TypedDict):
    """Keyword arguments of ``Client.start_workflow`` by which people find a run and know it."""

    memo: dict[str, str]
    search_attributes: TypedSearchAttributes
    static_summary: str
    static_details: str


def start_metadata(given: RunInput, *, team: str | None, alerts: Sequence[Alert] = ()) -> StartMetadata:
    """Say of a run what lists and the Temporal UI show, whoever starts it.

    Args:
        given: What it is about.
        team: Whose incident it is.
        alerts: Those that start it.
    """
    known: tuple[tuple[temporal_search_attributes.Key, str | None], ...] = (
        (temporal_search_attributes.SERVICE, given.service),
        (temporal_search_attributes.SEVERITY, given.severity),
        (temporal_search_attributes.TEAM, team),
        (temporal_search_attributes.SOURCE, given.origin.source if given.origin else temporal_search_attributes.PERSON),
        (temporal_search_attributes.PHASE, "starting"),
    )
    return StartMetadata(
        memo={"text": first_line(given.text)},
        search_attributes=TypedSearchAttributes([SearchAttributePair(key, value) for key, value in known if value]),
        static_summary=status_text.summary_line(given, first_line(given.text)),
        static_details=status_text.start_details(given, team, alerts),
    )


def first_line(text: str) -> str:
    """Return the first line of a text that says something, fit for a list."""
    line = next((line for line in clean(text).splitlines() if line.strip()), "")
    return excerpt(" ".join(line.split()), SUMMARY_BYTES)


def split_run_name(run: str) -> tuple[str, str]:
    """Split a run's name into its workflow id and, for one episode of several, ``RUN@RUN_ID``, its run id.

    The beginning of the run id is enough.
    """
    match = _EPISODE.fullmatch(run)
    return (match["run"], match["run_id"]) if match else (run, "")


async def find_run(client: Client, run: str) -> RunInfo:
    """Return the latest execution of a run, or the one that is named. Raises NoSuchRun and RPCError."""
    return await run_info(client, (await describe_run(client, run)).workflow_execution_info)


async def describe_run(
    client: Client, run: str, types: Collection[str] = (WORKFLOW,)
) -> DescribeWorkflowExecutionResponse:
    """Describe the latest execution of a run, or the one that is named, as the server answers.

    The SDK cannot read the description of a paused one. Raises NoSuchRun and RPCError.
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
        raise NoSuchRun(f"{run!r} is no incident run; `watchkeeper list` shows those that are")
    return description


async def _episode(client: Client, run: str) -> str:
    """Return the run id that begins as a name says. Raises NoSuchRun and RPCError."""
    workflow_id, beginning = split_run_name(run)
    every = [one.run_id async for one in list_runs(client, RunFilter(workflow_id=workflow_id))]
    (first, *others) = [run_id for run_id in every if run_id.startswith(beginning)] or [""]
    if not first:
        raise NoSuchRun(_no_such(client, run))
    if others:
        raise NoSuchRun(f"{run!r} may be one of several; name it {workflow_id}@{first}, or {', '.join(others)}")
    return first


async def list_runs(client: Client, wanted: RunFilter = ALL_RUNS) -> AsyncIterator[RunInfo]:
    """Give the runs of the namespace that are wanted, the newest first; one that continued as new once.

    Raises InvalidListQuery and RPCError.
    """
    clauses = [f"WorkflowType = '{WORKFLOW}'", "ExecutionStatus != 'ContinuedAsNew'", *wanted.clauses()]
    query, token = " AND ".join(clauses), b""
    while True:
        request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, next_page_token=token)
        try:
            # Not client.list_workflows: one paused run makes it fail for all (its status is unknown to the SDK).
            page = await client.workflow_service.list_workflow_executions(request, retry=True)
        except RPCError as error:
            if error.status != RPCStatusCode.INVALID_ARGUMENT or wanted.query is None:
                raise
            why = excerpt(error.message, 500)
            raise InvalidListQuery(
                f"Temporal cannot list by {wanted.query!r}: {why}; it knows such as CostUsd > 1"
            ) from error
        for info in page.executions:
            yield await run_info(client, info)
        if not (token := page.next_page_token):
            return


async def run_info(client: Client, info: WorkflowExecutionInfo) -> RunInfo:
    """Read what the server says of a run. One that is open after its report has the status of that."""
    indexed = info.search_attributes.indexed_fields
    said, closed = read_keyword(indexed, temporal_search_attributes.OUTCOME), _CLOSED.get(info.status)
    paused = info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
    rounds, cost = (
        _number(indexed, temporal_search_attributes.ROUNDS),
        _number(indexed, temporal_search_attributes.COST_USD),
    )
    return RunInfo(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        status="paused" if paused else said or closed or "running",
        service=read_keyword(indexed, temporal_search_attributes.SERVICE),
        severity=read_keyword(indexed, temporal_search_attributes.SEVERITY),
        started_at=info.start_time.ToDatetime(tzinfo=UTC),
        closed_at=info.close_time.ToDatetime(tzinfo=UTC) if info.HasField("close_time") else None,
        text=await read_memo(client, info, "text", str),
        report=await read_memo(client, info, "report", str),
        team=read_keyword(indexed, temporal_search_attributes.TEAM),
        source=read_keyword(indexed, temporal_search_attributes.SOURCE),
        phase=read_keyword(indexed, temporal_search_attributes.PHASE),
        waiting_for=read_keyword(indexed, temporal_search_attributes.WAITING_FOR) if closed is None else None,
        rounds=None if rounds is None else int(rounds),
        cost=cost,
    )


async def read_memo(client: Client, info: WorkflowExecutionInfo, name: str, kind: type[T]) -> T | None:
    """Return what stands in the memo of a run under a name."""
    fields = info.memo.fields
    if name not in fields:
        return None
    (value,) = await client.data_converter.decode([fields[name]], [kind])
    return value  # type: ignore[no-any-return]


def read_keyword(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> str | None:
    """Return a keyword of a run, if it is set: lists give one string, and descriptions a list of one."""
    value = _indexed(indexed, key)
    return str(value) if value else None


def _number(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> float | None:
    value = _indexed(indexed, key)
    return float(value) if isinstance(value, int | float) else None


def _indexed(indexed: Mapping[str, Payload], key: temporal_search_attributes.Key) -> object:
    if key.name not in indexed or not indexed[key.name].data:
        return None
    value = json.loads(indexed[key.name].data)
    return (value[0] if value else None) if isinstance(value, list) else value


def _no_such(client: Client, run: str) -> str:
    return f"no run {run!r} in the namespace {client.namespace!r}; `watchkeeper list` shows those there are"
