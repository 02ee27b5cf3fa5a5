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
from watchkeeper.llm.compaction import replaced
from watchkeeper.llm.conversation import ConversationLost, Request, canonical, conversation_digest, extend, join, target
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")


async def decode(converter: DataConverter, payloads: Iterable[Payload], kind: type[T]) -> T:
    """Return the first of some payloads as a contract."""
    (value,) = await converter.decode(list(payloads)[:1], [kind])
    return value  # type: ignore[no-any-return]


@dataclass
class Recorded:
    """What a history holds of a conversation."""

    beginning: list[JsonObject] = field(default_factory=list)
    tools: list[ToolSpec] = field(default_factory=list)
    steps: dict[str, tuple[Request, CompactionResult | None]] = field(default_factory=dict)
    """What was requested, by the digest of the conversation that it led to."""
    parts: dict[str, bytes] = field(default_factory=dict)

    def led(self, request: Request, digest: str, compaction: CompactionResult | None = None) -> None:
        """Note which conversation a request led to, unless it had nothing new."""
        if digest != request.base:
            # The first way to it: two summaries can say the same, and a later way would lead round in circles.
            self.steps.setdefault(digest, (request, compaction))

    def joined(self, request: Request) -> bytes:
        """Return the messages that a request of this run asks about, joined.

        Going back from one base to the one before it, the requests of the run name every message; its start, its
        activities' results and the requests' own words hold them. Raises ConversationLost when one is missing.
        """
        beginning = conversation_digest(self.beginning)
        steps: list[tuple[Request, CompactionResult | None]] = [(request, None)]
        while (base := steps[-1][0].base) != beginning:
            if base not in self.steps:
                raise ConversationLost(f"no conversation {base} in the history of this run")
            steps.append(self.steps[base])
        joined = join(self.beginning)
        for step, compaction in reversed(steps):
            joined = extend(joined, step.append, self._part)
            if compaction is not None:
                joined = join(replaced(json.loads(b"[" + joined + b"]"), compaction.summary, compaction.replaced))
        return joined

    def _part(self, digest: str) -> bytes:
        if digest not in self.parts:
            raise ConversationLost(f"no reply or result {digest} in the history of this run")
        return self.parts[digest]


async def read(client: Client, workflow_id: str, run_id: str) -> Recorded:
    """Read the history of one execution. Raises RPCError."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    return await _read(client.data_converter, handle.fetch_history_events())


async def _read(converter: DataConverter, events: AsyncIterator[HistoryEvent]) -> Recorded:
    recorded = Recorded()
    types: dict[int, str] = {}
    compacted: dict[int, CompactRequest] = {}
    async for event in events:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                started = event.workflow_execution_started_event_attributes
                given = await decode(converter, started.input.payloads, RunInput)
                if given.carried is not None:
                    recorded.beginning = given.carried.conversation.messages
                    recorded.tools = given.carried.briefing.tools
            case "activity_task_scheduled_event_attributes":
                scheduled = event.activity_task_scheduled_event_attributes
                types[event.event_id] = scheduled.activity_type.name
                if scheduled.activity_type.name == "ask":
                    request = await decode(converter, scheduled.input.payloads, ModelRequest)
                    recorded.led(request, target(request))
                elif scheduled.activity_type.name == "compact":
                    compacted[event.event_id] = await decode(converter, scheduled.input.payloads, CompactRequest)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                made_by = types[completed.scheduled_event_id]
                if made_by == "compact":
                    made = await decode(converter, completed.result.payloads, CompactionResult)
                    recorded.led(compacted[completed.scheduled_event_id], made.digest, made if made.replaced else None)
                else:
                    await _keep(recorded, converter, made_by, completed.result.payloads)
            case _:
                pass
    return recorded


async def _keep(recorded: Recorded, converter: DataConverter, made_by: str, result: Iterable[Payload]) -> None:
    match made_by:
        case "brief":
            briefing = await decode(converter, result, Briefing)
            recorded.beginning, recorded.tools = briefing.opening, briefing.tools
        case "ask":
            reply = await decode(converter, result, ModelReply)
            recorded.parts[reply.digest] = canonical(reply.message)
        case _ if made_by not in RESERVED:
            content = await decode(converter, result, ToolResult)
            recorded.parts[content.digest] = content.content.encode()
