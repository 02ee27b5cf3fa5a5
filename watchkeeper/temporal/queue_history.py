"""How a queue stood when it was broken off, read from its history: the runs that it admitted know of no other."""

from __future__ import annotations

from temporalio.client import Client

from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
from watchkeeper.incident.queue_state import TurnQueue
from watchkeeper.temporal.history import decode_first


async def read_queue(client: Client, workflow_id: str, run_id: str) -> QueueState:
    """Return who held a place in an execution of a queue, and who waited.

    Signals that no worker took up any more count. Raises RPCError.
    """
    line, told, converter = TurnQueue(QueueState(name="")), dict[int, str](), client.data_converter
    async for event in client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                line = TurnQueue(await decode_first(converter, started.input.payloads, QueueState))
            case "workflow_execution_signaled_event_attributes":
                said = event.workflow_execution_signaled_event_attributes
                if said.signal_name == "enter":
                    line.enter(await decode_first(converter, said.input.payloads, QueueEntry))
                elif said.signal_name == "leave":
                    line.leave(await decode_first(converter, said.input.payloads, QueueExit))
            case "signal_external_workflow_execution_initiated_event_attributes":
                admitted = event.signal_external_workflow_execution_initiated_event_attributes
                told[event.event_id] = run = await decode_first(converter, admitted.input.payloads, str)
                line.hold(run)
            case "signal_external_workflow_execution_failed_event_attributes":
                failed = event.signal_external_workflow_execution_failed_event_attributes
                line.drop(told[failed.initiated_event_id])
    return line.queue
