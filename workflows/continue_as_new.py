"""Continue-as-new: when a run continues in a new execution, and how it hands its state over."""

from __future__ import annotations

from temporalio import workflow

from workflows.channel_message import ChannelMessage
from workflows.deliveries import Deliveries
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from activities.carry import CarryActivities
    from watchkeeper.contracts import CarriedConversation, CarryRequest
    from watchkeeper.llm.compaction import OPENING_MESSAGES
    from watchkeeper.llm.conversation import canonical_json
    from watchkeeper.temporal import activity_options

MANY_UPDATES = 1_000
"""Accepted updates after which a run whose continue-as-new is suggested waits no longer: Temporal allows 2,000."""

ROOM_STEP = 50_000
"""Bytes that are kept free for alerts that join while the conversation is read."""


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
        many = size >= bounds.bytes or events >= bounds.events or self._state.updates >= MANY_UPDATES
        return carried_whole or many

    async def start(self) -> None:
        """Continue as new at a round boundary; returns only if a person stops the run first.

        Raises PayloadsTooLarge, which the SDK would raise where the run cannot handle it.
        """
        state = self._state
        _, conversation, _ = state.briefed()
        self._status.enter("continuing as new", durable=False)
        undelivered = await self._deliveries.wait(hand_over=True)
        await self._message.wait_until_posted()
        room, carried_conversation = 0, None
        while carried_conversation is None or self._room() < room:  # meanwhile more alerts may have joined
            room = max(0, self._room() - ROOM_STEP)
            base, new = conversation.take()
            request = CarryRequest(base=base, append=new, by_reference=True)
            carried_conversation = await workflow.execute_activity_method(
                CarryActivities.carry,
                request.model_copy(update={"room": room}) if self._alert_bytes() else request,
                activity_id="carry",
                summary="the conversation, for the next execution",
                **activity_options.CARRY,
            )
            await workflow.wait_condition(workflow.all_handlers_finished)
        if state.follow_up is not None:
            state.follow_up = state.follow_up.model_copy(update={"undelivered": undelivered})
        if state.stop_request is not None:
            return
        opening = carried_conversation.messages[:OPENING_MESSAGES]
        if carried_conversation.kept is not None:
            carried_conversation = CarriedConversation(
                digest=carried_conversation.digest, kept=carried_conversation.kept, execution=workflow.info().run_id
            )
        run_input = state.input.model_copy(update={"carried": state.to_carried(carried_conversation, opening)})
        workflow.payload_converter().to_payloads([run_input])
        workflow.continue_as_new(run_input, memo=workflow.memo())  # values added to a memo would be lost without it

    def _room(self) -> int:
        """Return the size of the conversation that fits beside the alerts of a large group."""
        return max(0, self._state.briefed()[0].history.carried_bytes - self._alert_bytes())

    def _alert_bytes(self) -> int:
        """Return the size of what is carried of the alerts of a large group, beyond those with a title."""
        follow_up = self._state.follow_up
        if not (compact := self._state.episode.compact):
            return 0
        joined = [*follow_up.joined, *follow_up.noticed] if follow_up is not None else []
        return len(canonical_json([compact, joined]))
