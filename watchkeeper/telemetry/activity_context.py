"""What is learnt of one attempt of an activity while it runs, for whoever tells of it afterwards.

The activities note here what their results do not hold. Where nobody listens, nothing is kept.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from watchkeeper.config.sections import ModelProfile
from watchkeeper.contracts import ModelReply
from watchkeeper.llm.errors import ModelErrorReason

Repair: TypeAlias = Literal[
    "unknown_tool", "bad_arguments", "dropped_calls", "calls_in_text", "cut", "empty", "no_usage", "unforced"
]
"""What was put right of a model's reply, or asked again.

``unknown_tool`` and ``bad_arguments`` calls that cannot be run; ``dropped_calls`` more calls than one reply may hold;
``calls_in_text`` calls written as words; ``cut`` a reply cut at a token or size limit; ``empty`` neither words nor
calls; ``no_usage`` tokens that the host did not count; ``unforced`` a tool that could not be forced.
"""

Refusal: TypeAlias = tuple[str, ModelErrorReason]
"""The name of a model, and why it gave no completion."""


@dataclass
class Attempt:
    """One attempt."""

    run: str = ""
    """First execution run id; empty until it is known, and where no traces are made."""
    trace_id: int = 0
    span_id: int = 0
    profile: ModelProfile | None = None
    """The model that was asked last."""
    model: str | None = None
    """Its name, as it gave it with its answer."""
    prompt: bytes = b""
    """The messages that it was asked about, as JSON without the brackets."""
    refusals: list[Refusal] = field(default_factory=list)
    repairs: list[Repair] = field(default_factory=list)


CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


def asked(profile: ModelProfile, messages: bytes) -> None:
    """Note that a model is asked."""
    if (attempt := CURRENT.get()) is not None:
        attempt.profile, attempt.prompt = profile, messages


def refused(profile: ModelProfile, reason: ModelErrorReason) -> None:
    """Note that a model gave no completion."""
    if (attempt := CURRENT.get()) is not None:
        attempt.refusals.append((profile.name, reason))


def answered(reply: ModelReply, tools: frozenset[str], body: bytes) -> None:
    """Note what had to be put right of an answer, given the names in the catalogue and the body as it came."""
    if (attempt := CURRENT.get()) is not None:
        attempt.model = reply.model
        attempt.repairs += _repairs(reply, tools, body)


def repaired(kind: Repair) -> None:
    """Note that something was put right."""
    if (attempt := CURRENT.get()) is not None:
        attempt.repairs.append(kind)


def _repairs(reply: ModelReply, tools: frozenset[str], body: bytes) -> list[Repair]:
    unread: list[Repair] = [
        "bad_arguments" if reply.calls[position].name in tools else "unknown_tool" for position in reply.problems
    ]
    others: list[tuple[Repair, object]] = [
        ("dropped_calls", reply.dropped),
        ("calls_in_text", reply.calls and b'"tool_calls"' not in body and b'"function_call"' not in body),
        ("cut", reply.truncated),
        ("empty", reply.kind == "empty"),
        ("no_usage", reply.usage.estimated),
    ]
    return [*unread, *(kind for kind, found in others if found)]
