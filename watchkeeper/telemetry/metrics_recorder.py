"""Counting what comes of attempts: each once, by the worker that made it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import product
from typing import Literal, Protocol, TypeAlias, get_args

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Destination, ModelReply, ReportDelivery, ToolResult
from watchkeeper.llm.errors import ModelErrorReason
from watchkeeper.telemetry import instruments, semconv
from watchkeeper.telemetry.activity_attempt import Step
from watchkeeper.telemetry.instruments import MODEL, Instrument
from watchkeeper.telemetry.providers import server_of
from watchkeeper.temporal.search_attributes import PERSON

CallStatus: TypeAlias = Literal["ok", "error", "rejected", "unavailable", "failed", "cancelled"]
"""What came of an attempt of a tool: what the model reads, or that the back end could not answer, or that it broke."""

Delivered: TypeAlias = Literal["delivered", "failed", "refused"]
"""What came of an attempt to deliver a report; one that failed is tried again."""

Outcome: TypeAlias = Literal["concluded", "limit_reached", "failed", "stopped"]

UNKNOWN = "unknown"
"""Stands for the tools that models make up."""


class Meters(Protocol):
    """Where it is counted."""

    def add(self, instrument: Instrument, value: float, **labels: str) -> None:
        """Add to a counter, or observe a value."""

    def expect(self, instrument: Instrument, **labels: str) -> None:
        """Show a counter before anything is counted."""


class Counting:
    """Counts on some meters."""

    def __init__(self, meters: Meters, settings: Settings) -> None:
        self._meters = meters
        self._expect([profile.name for profile in settings.profiles], [PERSON, *settings.sources])

    def _expect(self, models: Iterable[str], sources: Iterable[str]) -> None:
        """Show at 0 what alerts are about."""
        for model in models:
            self._meters.expect(instruments.COST, **{MODEL: model})
            for reason in get_args(ModelErrorReason):
                self._meters.expect(instruments.REFUSALS, **{MODEL: model, "reason": reason})
        for source, outcome in product(sources, get_args(Outcome)):
            self._meters.expect(instruments.RUNS, outcome=outcome, source=source)
        for destination, status in product(get_args(Destination), get_args(Delivered)):
            self._meters.expect(instruments.REPORTS, destination=destination, status=status)

    def count(self, step: Step) -> None:
        """Count an attempt that is over."""
        if step.asked:
            self._asked(step)
        elif step.tool:
            self._ran(step, step.tool)
        elif isinstance(step.given, ReportDelivery):
            self._delivered(step, step.given)

    def first_request(self, *, since: float) -> None:
        """Count that a run asks its first question now; ``since``: when it began, in Unix seconds."""
        self._meters.add(instruments.FIRST_REQUEST, max(0.0, time.time() - since))

    def _asked(self, step: Step) -> None:
        attempt = step.attempt
        for refusing, reason in attempt.refusals:
            self._meters.add(instruments.REFUSALS, 1, **{MODEL: refusing, "reason": reason})
        if attempt.profile is None:
            return
        server = server_of(attempt.profile.base_url)
        asked = {
            semconv.OPERATION: "chat",
            semconv.PROVIDER: server.provider,
            MODEL: attempt.profile.name,
            semconv.SERVER_ADDRESS: server.address,
            semconv.SERVER_PORT: str(server.port),
        }
        model = {MODEL: attempt.profile.name}
        self._meters.add(instruments.DURATION, step.seconds, **asked, **{semconv.ERROR: step.failure or ""})
        for kind in attempt.repairs:
            self._meters.add(instruments.REPAIRS, 1, **model, kind=kind)
        for _ in range(attempt.repairs.count("unknown_tool")):
            self._meters.add(instruments.CALLS, 1, tool=UNKNOWN, status="rejected")
        if isinstance(step.result, ModelReply):
            self._meters.add(instruments.ROUNDS, 1, **model)
            self._used(step.result, asked, model)

    def _used(self, reply: ModelReply, asked: dict[str, str], model: dict[str, str]) -> None:
        usage = reply.usage
        both = {"input": usage.prompt_tokens, "output": usage.completion_tokens}
        for kind, tokens in both.items():
            self._meters.add(instruments.TOKEN_USAGE, tokens, **asked, **{semconv.TOKEN_TYPE: kind})
        for kind, tokens in {**both, "cached": usage.cached_tokens, "reasoning": usage.reasoning_tokens}.items():
            self._meters.add(instruments.USED, tokens, **model, type=kind)
        if usage.cost is not None:
            self._meters.add(instruments.COST, usage.cost, **model)

    def _ran(self, step: Step, tool: str) -> None:
        self._meters.add(instruments.TOOL_SECONDS, step.seconds, tool=tool)
        self._meters.add(instruments.CALLS, 1, tool=tool, status=_status(step))

    def _delivered(self, step: Step, delivery: ReportDelivery) -> None:
        place = delivery.destination
        if step.failure is not None or step.result:
            status: Delivered = "delivered"
            if step.failure is not None:
                status = "refused" if step.failure == "ReportRefused" else "failed"
            self._meters.add(instruments.REPORTS, 1, destination=place, status=status)
        if place == "log" and step.failure is None:  # where every report goes, so that each is counted once
            what = instruments.FOLLOW_UPS if delivery.follow_up else instruments.RUNS
            source = delivery.origin.source if delivery.origin else PERSON
            self._meters.add(what, 1, outcome=delivery.status, source=source)


def _status(step: Step) -> CallStatus:
    match step.failure:
        case None:
            return step.result.status if isinstance(step.result, ToolResult) else "ok"
        case "ToolUnavailable":
            return "unavailable"
        case "CancelledError":
            return "cancelled"
        case _:
            return "failed"
