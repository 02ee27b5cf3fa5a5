"""Find the report that a delivery names, in the argument of another delivery in the same history."""

from __future__ import annotations

from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from watchkeeper.contracts import Report, ReportDelivery
from watchkeeper.temporal.events_backwards import events_backwards
from watchkeeper.temporal.history import decode_first


async def read_report(client: Client, workflow_id: str, run_id: str, activity_id: str) -> Report:
    """Read the report in the argument of a delivery.

    Fails with ``ReportRefused``, without retry, if the history has no such delivery. Raises RPCError.
    """
    async for event in events_backwards(client, workflow_id, run_id):
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_id == activity_id:
            return (await decode_first(client.data_converter, scheduled.input.payloads, ReportDelivery)).report
    raise ApplicationError(
        f"the history of run {run_id} has no delivery {activity_id}", type="ReportRefused", non_retryable=True
    )
