"""Rebuild a run's conversation from its history."""

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
    ReviewRequest,
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
    """Decode the first payload as a contract type."""
    (value,) = await converter.decode(list(payloads)[:1], [kind])
    return value  # type: ignore[no-any-return]


@dataclass
class ConversationHistory:
    """The parts of a conversation that a history contains."""

    opening: list[JsonObject] = field(default_factory=list)
    """The first messages, from the briefing or carried from the previous run."""
    opening_digest: str = ""
    """The digest of the first messages. A carried one is that of the previous run, whose results had no call keys."""
    tools: list[ToolSpec] = field(default_factory=list)
    steps: dict[str, tuple[ConversationRequest, CompactionResult | None]] = field(default_factory=dict)
    """The requests, by the digest of the conversation that each produced."""
    parts: dict[str, bytes] = field(default_factory=dict)
    """Replies, and contents of results, by digest."""

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
        steps: list[tuple[ConversationRequest, CompactionResult | None]] = [(request, None)]
        while (base := steps[-1][0].base) != self.opening_digest:
            if base not in self.steps:
                raise ConversationLost(f"no conversation {base} in the history of this run")
            steps.append(self.steps[base])
        joined = join_messages(self.opening)
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
    history = ConversationHistory()
    types: dict[int, str] = {}
    compacted: dict[int, CompactRequest] = {}
    async for event in events:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                run_input = await decode_first(converter, started.input.payloads, RunInput)
                if run_input.carried is not None:
                    carried = run_input.carried.conversation
                    history.opening, history.opening_digest = carried.messages, carried.digest
                    history.tools = run_input.carried.briefing.tools
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
