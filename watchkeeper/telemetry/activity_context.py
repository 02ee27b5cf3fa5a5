"""Facts that activities note while they run and that their results do not contain, for spans, metrics and logs.

Without telemetry there is no context, and the notes are dropped.
"""

from __future__ import annotations

from collections.abc import Set
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from watchkeeper.config.sections import ModelProfile
from watchkeeper.contracts import ModelReply
from watchkeeper.llm.errors import ModelErrorReason

Repair: TypeAlias = Literal[
    "unknown_tool",
    "bad_arguments",
    "dropped_calls",
    "calls_in_text",
    "cut",
    "empty",
    "no_usage",
    "unforced",
    "cut_prompt",
]
"""A defect of a model's reply that was repaired or retried.

``unknown_tool`` and ``bad_arguments``: calls that cannot run. ``dropped_calls``: more calls than one reply may have.
``calls_in_text``: calls written as text. ``cut``: a reply that ended at a token or size limit. ``empty``: neither text
nor calls. ``no_usage``: the host did not count tokens. ``unforced``: the model could not be forced to call a tool.
``cut_prompt``: the host read only a part of the prompt.
"""

Refusal: TypeAlias = tuple[str, ModelErrorReason]
"""The name of a model, and why it returned no completion."""


@dataclass
class AttemptContext:
    """What is known of the attempt that is running."""

    run: str = ""
    """First execution run id; empty until it is known, and without traces."""
    trace_id: int = 0
    span_id: int = 0
    profile: ModelProfile | None = None
    """The model that was asked last."""
    model: str | None = None
    """Its name in its reply."""
    prompt: bytes = b""
    """The messages of the last request, as JSON without the brackets."""
    refusals: list[Refusal] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)


CURRENT_ATTEMPT: ContextVar[AttemptContext | None] = ContextVar("attempt", default=None)


def note_request(profile: ModelProfile, messages: bytes) -> None:
    """Note a model request."""
    if (context := CURRENT_ATTEMPT.get()) is not None:
        context.profile, context.prompt = profile, messages


def note_refusal(profile: ModelProfile, reason: ModelErrorReason) -> None:
    """Note that a model returned no completion."""
    if (context := CURRENT_ATTEMPT.get()) is not None:
        context.refusals.append((profile.name, reason))


def note_reply(reply: ModelReply, tools: Set[str], body: bytes) -> None:
    """Note a reply and its defects; ``tools``: names in the catalogue; ``body``: the response as received."""
    if (context := CURRENT_ATTEMPT.get()) is not None:
        context.model = reply.model
        context.repairs += _repairs(reply, tools, body)


def note_repair(kind: Repair) -> None:
    """Note one defect."""
    if (context := CURRENT_ATTEMPT.get()) is not None:
        context.repairs.append(kind)


def _repairs(reply: ModelReply, tools: Set[str], body: bytes) -> list[Repair]:
    invalid_calls: list[Repair] = [
        "bad_arguments" if reply.calls[position].name in tools else "unknown_tool" for position in reply.problems
    ]
    others: list[tuple[Repair, object]] = [
        ("dropped_calls", reply.dropped),
        (
            "calls_in_text",
            reply.text_call or (reply.calls and b'"tool_calls"' not in body and b'"function_call"' not in body),
        ),
        ("cut", reply.truncated),
        ("empty", reply.kind == "empty"),
        ("no_usage", reply.usage.estimated),
    ]
    return [*invalid_calls, *(kind for kind, found in others if found)]
