"""Find the run that a person means: by its workflow id, a run id, the beginning of either, or ``latest``."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

from watchkeeper.runs.client import WORKFLOW, NoSuchRun, describe_run, list_runs, run_info, split_run_name
from watchkeeper.runs.list_filter import RunFilter, quoted
from watchkeeper.text import clean, excerpt, visible

ALL_TYPES = (WORKFLOW, "QueueWorkflow")

LATEST = "latest"
"""The run that started last; for a decision, the run that waits for it."""

MIN_CHARACTERS = 4
"""Shortest beginning of an id."""

CANDIDATES = 5
"""How many runs an error lists."""

PAGE = 50
"""How many executions one request lists. Most of them may be of one workflow id, whose alerts fired often."""

TITLE_BYTES = 60

_RUN_ID = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?")

_WINDOWS = tuple(timedelta(seconds=10**exponent) for exponent in range(8))
"""Temporal lists open runs before closed runs. So the latest run is searched first among the runs of one second, then
of ten seconds, up to 115 days."""


class AmbiguousRun(NoSuchRun):
    """Several runs match. The message lists them."""


@dataclass(frozen=True)
class RunReference:
    """A run that was found."""

    workflow_id: str
    episode: str = ""
    """Run id of the last execution of an earlier episode; empty: the latest episode of the workflow id."""
    first_run_id: str | None = None
    """First execution run id; None if the person wrote the workflow id, and so means any episode of it."""

    @property
    def name(self) -> str:
        """The name by which ``describe_run`` finds the run."""
        return f"{self.workflow_id}@{self.episode}" if self.episode else self.workflow_id


async def find_reference(
    client: Client, run: str, *, waits: bool = False, types: Collection[str] = (WORKFLOW,)
) -> RunReference:
    """Return the run that a person means.

    Args:
        client: Client of the namespace.
        run: A workflow id, ``RUN@RUN_ID``, the run id of any execution, the beginning of a workflow id or of a run id,
            or ``latest``.
        waits: The person decides about a call. Then ``latest`` is the run that waits for a decision, if only one does:
            a decision never goes to a run that the person may not have seen.
        types: Workflow types that the run may have.

    Raises NoSuchRun, AmbiguousRun and RPCError.
    """
    if run == LATEST:
        return await (_waiting_run(client) if waits else _latest_run(client))
    run = clean(run)
    try:
        info = (await describe_run(client, run, types)).workflow_execution_info
    except NoSuchRun as unknown:
        if len(run) < MIN_CHARACTERS:
            raise NoSuchRun(f"{unknown}; the beginning of an id needs {MIN_CHARACTERS} characters") from None
        found = await _beginning_with(client, run, types)
        if not found:
            raise unknown from None
        if len(found) > 1:
            raise await _ambiguous(client, f"{_shown(run)} is the beginning of several runs", found) from None
        return found[0]
    workflow_id, episode = split_run_name(run)
    return RunReference(workflow_id, info.execution.run_id, info.first_run_id) if episode else RunReference(workflow_id)


async def _latest_run(client: Client) -> RunReference:
    for window in (*_WINDOWS, None):
        run_filter = RunFilter(since=datetime.now(UTC) - window) if window else RunFilter()
        async for run in list_runs(client, run_filter):
            return await _reference(client, run.workflow_id, run.run_id)
    raise NoSuchRun(f"no run in the namespace {client.namespace!r}; start one: `watchkeeper run TEXT`")


async def _waiting_run(client: Client) -> RunReference:
    waiting = list[RunReference]()
    async for run in list_runs(client, RunFilter(waiting_for="approval")):
        waiting.append(RunReference(run.workflow_id))
        if len(waiting) > CANDIDATES:
            break
    if not waiting:
        raise NoSuchRun("no run waits for an approval; `watchkeeper list --open` shows the open runs")
    if len(waiting) > 1:
        raise await _ambiguous(client, "several runs wait for an approval", waiting)
    (only,) = waiting
    return await _reference(client, only.workflow_id, "")


async def _beginning_with(client: Client, beginning: str, types: Collection[str]) -> list[RunReference]:
    """Return the runs whose workflow id, or one of whose run ids, begins with a text; at most one over ``CANDIDATES``.

    Temporal may compare without regard to case, so each answer is checked.
    """
    kinds = f"WorkflowType IN ({', '.join(map(quoted, types))})"
    found = dict[str, RunReference]()
    while len(found) <= CANDIDATES:
        others = "".join(f" AND WorkflowId != {quoted(workflow_id)}" for workflow_id in found)
        query = (
            f"{kinds} AND WorkflowId STARTS_WITH {quoted(beginning)} AND ExecutionStatus != 'ContinuedAsNew'{others}"
        )
        page = await _list_page(client, query)
        ids = dict.fromkeys(one.execution.workflow_id for one in page)
        matching = [
            workflow_id for workflow_id in ids if workflow_id.startswith(beginning) and workflow_id not in found
        ]
        if not matching:
            break
        found |= {workflow_id: RunReference(workflow_id) for workflow_id in matching}
    if _RUN_ID.fullmatch(beginning.lower()):
        for info in await _list_page(client, f"{kinds} AND RunId STARTS_WITH {quoted(beginning.lower())}"):
            if len(found) > CANDIDATES:
                break
            reference = await _reference(client, info.execution.workflow_id, info.execution.run_id, types)
            found.setdefault(reference.name, reference)
    return list(found.values())[: CANDIDATES + 1]


async def _list_page(client: Client, query: str) -> Sequence[WorkflowExecutionInfo]:
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, page_size=PAGE)
    return (await client.workflow_service.list_workflow_executions(request, retry=True)).executions


async def _reference(
    client: Client, workflow_id: str, run_id: str, types: Collection[str] = (WORKFLOW,)
) -> RunReference:
    """Return the run of an execution: the latest episode of its workflow id, or an earlier one."""
    latest = (await describe_run(client, workflow_id, types)).workflow_execution_info
    if run_id in ("", latest.execution.run_id):
        return RunReference(workflow_id, "", latest.first_run_id)
    this = (await describe_run(client, f"{workflow_id}@{run_id}", types)).workflow_execution_info
    if this.first_run_id == latest.first_run_id:
        return RunReference(workflow_id, "", latest.first_run_id)
    last = run_id
    while following := await _continued_as(client, workflow_id, last):
        last = following
    return RunReference(workflow_id, last, this.first_run_id)


async def _continued_as(client: Client, workflow_id: str, run_id: str) -> str:
    """Return the run id as which a closed execution continued as new; empty if it did not."""
    answer = await client.workflow_service.get_workflow_execution_history(
        GetWorkflowExecutionHistoryRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        ),
        retry=True,
    )
    events = answer.history.events
    return events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id if events else ""


async def _ambiguous(client: Client, why: str, found: Sequence[RunReference]) -> AmbiguousRun:
    described = list[str]()
    for reference in found[:CANDIDATES]:
        run = await run_info(client, (await describe_run(client, reference.name, ALL_TYPES)).workflow_execution_info)
        title = f", {_shown(run.text)}" if run.text else ""
        described.append(f"{visible(reference.name)} (started {run.started_at:%Y-%m-%d %H:%M:%S} UTC{title})")
    more = " and more" if len(found) > CANDIDATES else ""
    return AmbiguousRun(f"{why}: {', '.join(described)}{more}; write the whole id of one")


def _shown(text: str) -> str:
    return repr(visible(excerpt(text, TITLE_BYTES)))
