"""Reading a run's own history: the one store of what its activities made."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.converter import DataConverter

from watchkeeper.contracts import (
    Briefing,
    CompactionResult,
    CompactRequest,
    JsonObject,
    ModelReply,
    ModelRequest,
    RunInput,
    ToolResult,
    ToolSpec,
)
from watchkeeper.llm.compaction import replace_with_summary
from watchkeeper.llm.conversation import (
    ConversationLost,
    ConversationRequest,
    append_entries,
    canonical_json,
    conversation_digest,
    join_messages,
    target_digest,
)
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")


async def decode_first(converter: DataConverter, payloads: Iterable[Payload], kind: type[T]) -> T:
    """Return the first of some payloads as a contract."""
    (value,) = await converter.decode(list(payloads)[:1], [kind])
    return value  # type: ignore[no-any-return]


@dataclass
class ConversationHistory:
    """What a history holds of a conversation."""

    beginning: list[JsonObject] = field(default_factory=list)
    tools: list[ToolSpec] = field(default_factory=list)
    steps: dict[str, tuple[ConversationRequest, CompactionResult | None]] = field(default_factory=dict)
    """What was requested, by the digest of the conversation that it led to."""
    parts: dict[str, bytes] = field(default_factory=dict)

    def led(self, request: ConversationRequest, digest: str, compaction: CompactionResult | None = None) -> None:
        """Note which conversation a request led to, unless it had nothing new."""
        if digest != request.base:
            # The first way to it: two summaries can say the same, and a later way would lead round in circles.
            self.steps.setdefault(digest, (request, compaction))

    def joined(self, request: ConversationRequest) -> bytes:
        """Return the messages that a request of this run asks about, joined.

        Going back from one base to the one before it, the requests of the run name every message; its start, its
        activities' results and the requests' own words hold them. Raises ConversationLost when one is missing.
        """
        beginning = conversation_digest(self.beginning)
        steps: list[tuple[ConversationRequest, CompactionResult | None]] = [(request, None)]
        while (base := steps[-1][0].base) != beginning:
            if base not in self.steps:
                raise ConversationLost(f"no conversation {base} in the history of this run")
            steps.append(self.steps[base])
        joined = join_messages(self.beginning)
        for step, compaction in reversed(steps):
            joined = append_entries(joined, step.append, self._part)
            if compaction is not None:
                joined = join_messages(
                    replace_with_summary(json.loads(b"[" + joined + b"]"), compaction.summary, compaction.replaced)
                )
        return joined

    def _part(self, digest: str) -> bytes:
        if digest not in self.parts:
            raise ConversationLost(f"no reply or result {digest} in the history of this run")
        return self.parts[digest]


async def read_conversation(client: Client, workflow_id: str, run_id: str) -> ConversationHistory:
    """Read the history of one execution. Raises RPCError."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    return await _read_events(client.data_converter, handle.fetch_history_events())


async def _read_events(converter: DataConverter, events: AsyncIterator[HistoryEvent]) -> ConversationHistory:
    recorded = ConversationHistory()
    types: dict[int, str] = {}
    compacted: dict[int, CompactRequest] = {}
    async for event in events:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                given = await decode_first(converter, started.input.payloads, RunInput)
                if given.carried is not None:
                    recorded.beginning = given.carried.conversation.messages
                    recorded.tools = given.carried.briefing.tools
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                types[event.event_id] = scheduled.activity_type.name
                if scheduled.activity_type.name == "ask":
                    request = await decode_first(converter, scheduled.input.payloads, ModelRequest)
                    recorded.led(request, target_digest(request))
                elif scheduled.activity_type.name == "compact":
                    compacted[event.event_id] = await decode_first(converter, scheduled.input.payloads, CompactRequest)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                made_by = types[completed.scheduled_event_id]
                if made_by == "compact":
                    made = await decode_first(converter, completed.result.payloads, CompactionResult)
                    recorded.led(compacted[completed.scheduled_event_id], made.digest, made if made.replaced else None)
                else:
                    await _add_result(recorded, converter, made_by, completed.result.payloads)
            case _:
                pass
    return recorded


async def _add_result(
    recorded: ConversationHistory, converter: DataConverter, made_by: str, result: Iterable[Payload]
) -> None:
    match made_by:
        case "brief":
            briefing = await decode_first(converter, result, Briefing)
            recorded.beginning, recorded.tools = briefing.opening, briefing.tools
        case "ask":
            reply = await decode_first(converter, result, ModelReply)
            recorded.parts[reply.digest] = canonical_json(reply.message)
        case _ if made_by not in RESERVED:
            content = await decode_first(converter, result, ToolResult)
            recorded.parts[content.digest] = content.content.encode()
