"""Rebuild the state of a terminated queue from its history, so that its next execution knows the admitted runs."""

from __future__ import annotations

from temporalio.client import Client

from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
from watchkeeper.incident.queue_state import TurnQueue
from watchkeeper.temporal.history import decode_first, decode_signal


async def read_queue(client: Client, workflow_id: str, run_id: str) -> QueueState:
    """Return which runs held a place in an execution of a queue, and which waited.

    Signals that no worker has processed are included. Raises RPCError.
    """
    queue, admitted, converter = TurnQueue(QueueState(name="")), dict[int, str](), client.data_converter
    async for event in client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                queue = TurnQueue(await decode_first(converter, started.input.payloads, QueueState))
            case "workflow_execution_signaled_event_attributes":
                signal = event.workflow_execution_signaled_event_attributes
                payloads = signal.input.payloads
                if signal.signal_name == "enter" and (entry := await decode_signal(converter, payloads, QueueEntry)):
                    queue.enter(entry)
                if signal.signal_name == "leave" and (leaving := await decode_signal(converter, payloads, QueueExit)):
                    queue.leave(leaving)
            case "signal_external_workflow_execution_initiated_event_attributes":
                initiated = event.signal_external_workflow_execution_initiated_event_attributes
                admitted[event.event_id] = run = await decode_first(converter, initiated.input.payloads, str)
                queue.hold(run)
            case "signal_external_workflow_execution_failed_event_attributes":
                failed = event.signal_external_workflow_execution_failed_event_attributes
                queue.drop(admitted[failed.initiated_event_id])
    return queue.state
