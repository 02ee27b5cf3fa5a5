"""Continue-as-new: when a run continues in a new execution, and how it hands its state over."""

from __future__ import annotations

from temporalio import workflow

from workflows.channel_message import ChannelMessage
from workflows.deliveries import Deliveries
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from activities.carry import CarryActivities
    from watchkeeper.contracts import CarryRequest
    from watchkeeper.temporal import activity_options


class NextExecution:
    """The execution that continues a run whose history has grown large."""

    def __init__(
        self, state: RunState, status: StatusPublisher, message: ChannelMessage, deliveries: Deliveries
    ) -> None:
        self._state = state
        self._status = status
        self._message = message
        self._deliveries = deliveries

    def is_due(self) -> bool:
        """Tell whether to continue as new: the server suggests it and nothing is lost by it, or it cannot wait."""
        bounds, info = self._state.briefed()[0].history, workflow.info()
        if not info.is_continue_as_new_suggested():
            return False
        size, events = info.get_current_history_size(), info.get_current_history_length()
        carried_whole = size - events * bounds.event_bytes <= bounds.carried_bytes
        return carried_whole or size >= bounds.bytes or events >= bounds.events

    async def start(self) -> None:
        """Continue as new at a round boundary; returns only if a person stops the run first.

        Raises PayloadsTooLarge, which the SDK would raise where the run cannot handle it.
        """
        state = self._state
        _, conversation, _ = state.briefed()
        self._status.enter("continuing as new", durable=False)
        undelivered = await self._deliveries.wait()
        await self._message.wait_until_posted()
        base, new = conversation.take()
        carried_conversation = await workflow.execute_activity_method(
            CarryActivities.carry,
            CarryRequest(base=base, append=new),
            activity_id="carry",
            summary="the conversation, for the next execution",
            **activity_options.CARRY,
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        if state.follow_up is not None:
            state.follow_up = state.follow_up.model_copy(update={"undelivered": undelivered})
        if state.stop_request is not None:
            return
        run_input = state.input.model_copy(update={"carried": state.to_carried(carried_conversation)})
        workflow.payload_converter().to_payloads([run_input])
        workflow.continue_as_new(run_input, memo=workflow.memo())  # values added to a memo would be lost without it
