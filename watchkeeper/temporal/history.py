"""Rebuild a run's conversation from its history.

An execution that continues a run records neither the messages of the executions before it nor the summaries that
replace older rounds. The messages are read from the histories of those executions, and code writes the summaries
again. If such a history is deleted, because the retention of its namespace has ended, a summary of what the execution
itself carries takes its place.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.contracts import (
    Briefing,
    CarriedConversation,
    CarriedState,
    CarryRequest,
    CompactionResult,
    CompactRequest,
    JsonObject,
    ModelReply,
    ModelRequest,
    ReviewRequest,
    RunInput,
    ToolResult,
    ToolSpec,
)
from watchkeeper.llm.compaction import compact, conversation_from_records, replace_with_summary, split_head
from watchkeeper.llm.conversation import (
    ConversationLost,
    ConversationRequest,
    append_entries,
    canonical_json,
    conversation_digest,
    join_messages,
    target_digest,
)
from watchkeeper.text import error_text
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")


async def decode_first(converter: DataConverter, payloads: Iterable[Payload], kind: type[T]) -> T:
    """Decode the first payload as a contract type. Raises ValueError if no payload exists or it is not of that type."""
    if not (first := list(payloads)[:1]):
        raise ValueError(f"no payload holds a {kind.__name__}")
    try:
        (value,) = await converter.decode(first, [kind])
    except (LookupError, RuntimeError, TypeError) as error:  # which one depends on the encoding of the payload
        raise ValueError(error_text(error)) from error
    if not isinstance(value, kind):
        raise ValueError(f"a payload holds {type(value).__name__}, not {kind.__name__}")
    return value


async def decode_signal(converter: DataConverter, payloads: Iterable[Payload], kind: type[T]) -> T | None:
    """Decode the argument of a signal; None if it has none or another one. Anyone can send a signal by hand."""
    try:
        return await decode_first(converter, payloads, kind)
    except ValueError:
        return None


@dataclass
class ConversationHistory:
    """The parts of a conversation that a history contains."""

    opening: list[JsonObject] = field(default_factory=list)
    """The first messages, from the briefing or from the previous execution."""
    opening_digest: str = ""
    """The digest of the first messages. A carried one is that of the previous execution: results may have had no call
    keys, or a part of the messages may be deleted."""
    lost: str = ""
    """Why the first messages are only a summary; empty: they are complete."""
    tools: list[ToolSpec] = field(default_factory=list)
    steps: dict[str, tuple[ConversationRequest, CompactionResult | None]] = field(default_factory=dict)
    """The requests, by the digest of the conversation that each produced."""
    parts: dict[str, bytes] = field(default_factory=dict)
    """Replies, and contents of results, by digest."""
    carried: CarriedState | None = None
    """What the previous execution has carried."""
    carries: dict[str, tuple[CarryRequest, CarriedConversation]] = field(default_factory=dict)
    """Conversations that were prepared for the next execution, by digest."""

    def add_step(self, request: ConversationRequest, digest: str, compaction: CompactionResult | None = None) -> None:
        """Record which conversation a request produced, unless the request had no new entries."""
        if digest != request.base:
            # Keep the first request: two summaries can be equal, and a later one could form a cycle.
            self.steps.setdefault(digest, (request, compaction))

    def messages(self, request: ConversationRequest) -> bytes:
        """Return the messages of the conversation that a request names, joined.

        The requests of the run name every message, from one base to the base before it. The briefing, the activity
        results and the requests contain the messages. Raises ConversationLost if one is missing.
        """
        joined = join_messages(self.opening)
        for step, compaction in reversed([*self._steps_to(request)]):
            joined = append_entries(joined, step.append, self._part)
            if isinstance(step, CompactRequest) and compaction is not None:
                joined = _compacted(joined, step, compaction)
        return joined

    def latest(self, request: ConversationRequest, count: int) -> list[JsonObject]:
        """Return at most ``count`` of the last messages that this execution added up to a request.

        No compaction may have replaced one of them. Raises ConversationLost.
        """
        steps: list[ConversationRequest] = []
        found = 0
        for step, _ in self._steps_to(request):
            if found >= count:
                break
            steps.append(step)
            found += len(step.append)
        joined = b""
        for step in reversed(steps):
            joined = append_entries(joined, step.append, self._part)
        messages: list[JsonObject] = json.loads(b"[" + joined + b"]")
        return messages[max(0, len(messages) - count) :]

    def _steps_to(self, request: ConversationRequest) -> Iterator[tuple[ConversationRequest, CompactionResult | None]]:
        """Return the requests of this execution that lead to a request, latest first. Raises ConversationLost."""
        yield request, None
        while (base := request.base) != self.opening_digest:
            if base not in self.steps:
                raise ConversationLost(f"no conversation {base} in the history of this run")
            step = self.steps[base]
            yield step
            request = step[0]

    def _part(self, digest: str) -> bytes:
        if digest not in self.parts:
            raise ConversationLost(f"no reply or result {digest} in the history of this run")
        return self.parts[digest]


def _compacted(joined: bytes, request: CompactRequest, compaction: CompactionResult) -> bytes:
    messages = json.loads(b"[" + joined + b"]")
    if compaction.summary:
        return join_messages(replace_with_summary(messages, compaction.summary, compaction.replaced))
    return join_messages(compact(messages, int(len(joined) * request.keep))[0])


async def read_conversation(client: Client, workflow_id: str, run_id: str) -> ConversationHistory:
    """Read the history of one execution, and of those before it as far as its conversation needs them.

    Raises RPCError, but not if only an earlier history is deleted: see ``ConversationHistory.lost``.
    """
    history = await read_execution(client, workflow_id, run_id)
    if history.carried is None or history.carried.conversation.execution is None:
        return history
    try:
        head, tail = await _carried_messages(client, workflow_id, history.carried.conversation)
        history.opening = [*head, *tail]
    except ConversationLost as error:
        carried, history.lost = history.carried, str(error)
        history.opening = conversation_from_records(carried.briefing.opening, carried.told, carried.calls)
    return history


async def _carried_messages(
    client: Client, workflow_id: str, carried: CarriedConversation
) -> tuple[list[JsonObject], list[JsonObject]]:
    """Return the head of a conversation, and the rounds after it, from the histories of earlier executions.

    Of rounds whose history is deleted, only the later ones are returned. Raises ConversationLost and RPCError.
    """
    try:
        earlier = await read_execution(client, workflow_id, carried.execution or "")
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        raise ConversationLost(f"the history of execution {carried.execution} is deleted") from error
    if carried.digest not in earlier.carries:
        raise ConversationLost(f"the history of execution {carried.execution} has no conversation {carried.digest}")
    request, prepared = earlier.carries[carried.digest]
    tail = earlier.latest(request, prepared.kept or 0)
    if (missing := (prepared.kept or 0) - len(tail)) > 0:
        before = earlier.carried.conversation if earlier.carried else None
        rounds: list[JsonObject] = []
        if before is None or before.execution is None:
            rounds = split_head(earlier.opening)[1]
        else:
            with suppress(ConversationLost):
                rounds = (await _carried_messages(client, workflow_id, before))[1]
        tail = [*rounds[max(0, len(rounds) - missing) :], *tail]
    return prepared.messages, tail


async def read_execution(client: Client, workflow_id: str, run_id: str) -> ConversationHistory:
    """Read the history of one execution only: a carried conversation has no opening. Raises RPCError."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    return await _read_events(client.data_converter, handle.fetch_history_events())


async def _read_events(converter: DataConverter, events: AsyncIterator[HistoryEvent]) -> ConversationHistory:
    history = ConversationHistory()
    types: dict[int, str] = {}
    compacted: dict[int, CompactRequest] = {}
    prepared: dict[int, CarryRequest] = {}
    async for event in events:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                run_input = await decode_first(converter, started.input.payloads, RunInput)
                if (carried := run_input.carried) is not None:
                    history.carried, history.tools = carried, carried.briefing.tools
                    history.opening, history.opening_digest = carried.conversation.messages, carried.conversation.digest
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                types[event.event_id] = scheduled.activity_type.name
                if scheduled.activity_type.name == "ask":
                    model_request = await decode_first(converter, scheduled.input.payloads, ModelRequest)
                    history.add_step(model_request, target_digest(model_request))
                elif scheduled.activity_type.name == "review":
                    review_request = await decode_first(converter, scheduled.input.payloads, ReviewRequest)
                    history.add_step(review_request, target_digest(review_request))
                elif scheduled.activity_type.name == "compact":
                    compacted[event.event_id] = await decode_first(converter, scheduled.input.payloads, CompactRequest)
                elif scheduled.activity_type.name == "carry":
                    prepared[event.event_id] = await decode_first(converter, scheduled.input.payloads, CarryRequest)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                made_by = types[completed.scheduled_event_id]
                if made_by == "compact":
                    compaction = await decode_first(converter, completed.result.payloads, CompactionResult)
                    history.add_step(
                        compacted[completed.scheduled_event_id],
                        compaction.digest,
                        compaction if compaction.replaced else None,
                    )
                elif made_by == "carry":
                    conversation = await decode_first(converter, completed.result.payloads, CarriedConversation)
                    history.carries[conversation.digest] = prepared[completed.scheduled_event_id], conversation
                else:
                    await _add_result(history, converter, made_by, completed.result.payloads)
            case _:
                pass
    return history


async def _add_result(
    history: ConversationHistory, converter: DataConverter, made_by: str, result: Iterable[Payload]
) -> None:
    match made_by:
        case "brief":
            briefing = await decode_first(converter, result, Briefing)
            history.opening, history.tools = briefing.opening, briefing.tools
            history.opening_digest = conversation_digest(briefing.opening)
        case "ask":
            reply = await decode_first(converter, result, ModelReply)
            history.parts[reply.digest] = canonical_json(reply.message)
        case _ if made_by not in RESERVED:
            tool_result = await decode_first(converter, result, ToolResult)
            history.parts[tool_result.digest] = tool_result.content.encode()
