"""Records the metrics of activity attempts. The worker that ran an attempt records it once."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import product
from typing import Literal, TypeAlias, get_args

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ClaimKind, Destination, ModelReply, Report, ReportDelivery, Review, ToolResult
from watchkeeper.llm.errors import ModelErrorReason
from watchkeeper.telemetry import semconv
from watchkeeper.telemetry.activity_attempt import FinishedAttempt
from watchkeeper.telemetry.instruments import WorkerInstruments
from watchkeeper.telemetry.providers import model_server
from watchkeeper.temporal.search_attributes import PERSON

CallStatus: TypeAlias = Literal["ok", "error", "rejected", "unavailable", "failed", "cancelled"]
"""``ok``, ``error`` and ``rejected`` are results that the model reads. ``unavailable``: the backend did not answer.
``failed``: the tool raised another error."""

DeliveryStatus: TypeAlias = Literal["delivered", "failed", "refused"]
"""``failed`` attempts are retried, ``refused`` ones are not."""

Outcome: TypeAlias = Literal["concluded", "limit_reached", "failed", "stopped"]

ReviewResult: TypeAlias = Literal["accepted", "unsupported", "refused"]
"""``refused``: the answer is no conclusion. ``unsupported``: it is one, with claims that nothing supports."""

UNKNOWN_TOOL = "unknown"
"""The label of every tool that is not in the catalogue."""

MODEL = semconv.REQUEST_MODEL


class MetricsRecorder:
    """Records activity attempts on the instruments of one worker."""

    def __init__(self, instruments: WorkerInstruments, settings: Settings) -> None:
        self._instruments = instruments
        self._initialise([profile.name for profile in settings.profiles], [PERSON, *settings.sources])

    def _initialise(self, models: Iterable[str], sources: Iterable[str]) -> None:
        """Set counters to 0: Prometheus sees no increase in a counter that appears with the value 1."""
        for model in models:
            self._instruments.cost.add(0, {MODEL: model})
            for reason in get_args(ModelErrorReason):
                self._instruments.refusals.add(0, {MODEL: model, "reason": reason})
        for source, outcome in product(sources, get_args(Outcome)):
            self._instruments.runs.add(0, {"outcome": outcome, "source": source})
            self._instruments.follow_ups.add(0, {"outcome": outcome, "source": source})
        self._instruments.report_checks.unsupported_reports.add(0)
        for kind in get_args(ClaimKind):
            self._instruments.report_checks.unsupported_claims.add(0, {"kind": kind})
        for result in get_args(ReviewResult):
            self._instruments.report_checks.reviews.add(0, {"result": result})
        for destination, status in product(get_args(Destination), get_args(DeliveryStatus)):
            self._instruments.reports.add(0, {"destination": destination, "status": status})

    def record(self, attempt: FinishedAttempt) -> None:
        """Record a finished attempt."""
        if attempt.is_model_request:
            self._record_request(attempt)
        elif attempt.tool:
            self._record_call(attempt, attempt.tool)
        elif isinstance(attempt.argument, ReportDelivery):
            self._record_delivery(attempt, attempt.argument)
        elif isinstance(attempt.result, Review):
            self._instruments.report_checks.reviews.add(1, {"result": _review_result(attempt.result)})

    def record_first_request(self, *, started_at: float) -> None:
        """Record that a run makes its first model request now; ``started_at``: start of the run, in Unix seconds."""
        self._instruments.first_request.record(max(0.0, time.time() - started_at))

    def _record_request(self, attempt: FinishedAttempt) -> None:
        context = attempt.context
        for refusing, reason in context.refusals:
            self._instruments.refusals.add(1, {MODEL: refusing, "reason": reason})
        if context.profile is None:
            return
        server = model_server(context.profile.base_url)
        model = {MODEL: context.profile.name}
        operation = {
            semconv.OPERATION: "chat",
            semconv.PROVIDER: server.provider,
            semconv.SERVER_ADDRESS: server.address,
            semconv.SERVER_PORT: str(server.port),
            **model,
        }
        error = {semconv.ERROR: attempt.error_type} if attempt.error_type else {}
        self._instruments.operation_duration.record(attempt.seconds, operation | error)
        for kind in context.repairs:
            self._instruments.repairs.add(1, {**model, "kind": kind})
            if kind == "unknown_tool":
                self._instruments.tool_calls.add(1, {"tool": UNKNOWN_TOOL, "status": "rejected"})
        if isinstance(attempt.result, ModelReply):
            self._instruments.rounds.add(1, model)
            self._record_usage(attempt.result, operation, model)

    def _record_usage(self, reply: ModelReply, operation: dict[str, str], model: dict[str, str]) -> None:
        usage = reply.usage
        totals = {"input": usage.prompt_tokens, "output": usage.completion_tokens}
        for kind, tokens in totals.items():
            self._instruments.token_usage.record(tokens, {**operation, semconv.TOKEN_TYPE: kind})
        for kind, tokens in {**totals, "cached": usage.cached_tokens, "reasoning": usage.reasoning_tokens}.items():
            self._instruments.tokens.add(tokens, {**model, "type": kind})
        if usage.cost is not None:
            self._instruments.cost.add(usage.cost, model)

    def _record_call(self, attempt: FinishedAttempt, tool: str) -> None:
        self._instruments.tool_duration.record(attempt.seconds, {"tool": tool})
        self._instruments.tool_calls.add(1, {"tool": tool, "status": _call_status(attempt)})

    def _record_delivery(self, attempt: FinishedAttempt, delivery: ReportDelivery) -> None:
        destination = delivery.destination
        if attempt.error_type is not None or attempt.result:
            status: DeliveryStatus = "delivered"
            if attempt.error_type is not None:
                status = "refused" if attempt.error_type == "ReportRefused" else "failed"
            self._instruments.reports.add(1, {"destination": destination, "status": status})
        if destination == "log" and attempt.error_type is None:  # every report goes to the log, so each is counted once
            counter = self._instruments.follow_ups if delivery.follow_up else self._instruments.runs
            source = delivery.origin.source if delivery.origin else PERSON
            counter.add(1, {"outcome": delivery.status, "source": source})
            self._record_unsupported(delivery.report)

    def _record_unsupported(self, report: Report) -> None:
        self._instruments.report_checks.unsupported_reports.add(1 if report.unsupported else 0)
        for claim in report.unsupported:
            self._instruments.report_checks.unsupported_claims.add(1, {"kind": claim.kind})


def _review_result(review: Review) -> ReviewResult:
    return "refused" if review.problems else "unsupported" if review.unsupported else "accepted"


def _call_status(attempt: FinishedAttempt) -> CallStatus:
    match attempt.error_type:
        case None:
            return attempt.result.status if isinstance(attempt.result, ToolResult) else "ok"
        case "ToolUnavailable":
            return "unavailable"
        case "CancelledError":
            return "cancelled"
        case _:
            return "failed"
