"""Builds the spans of a run. Each span is readable without the others."""

from __future__ import annotations

import math
from collections.abc import Mapping

from watchkeeper import __version__
from watchkeeper.contracts import ModelReply, ReportDelivery, ToolResult
from watchkeeper.telemetry import semconv, span_ids
from watchkeeper.telemetry.activity_attempt import FinishedAttempt
from watchkeeper.telemetry.content_capture import ContentCapture
from watchkeeper.telemetry.providers import model_server
from watchkeeper.telemetry.tracer import AttributeValue, SpanData


def attempt_span(attempt: FinishedAttempt, content: ContentCapture) -> SpanData:
    """Return the span of an attempt: ``chat``, ``execute_tool``, or named after its activity."""
    run = attempt.context.run
    if attempt.is_model_request:
        name, attributes = _model_request(attempt)
    elif attempt.tool:
        name, attributes = _tool_call(attempt)
    else:
        name, attributes = _other_activity(attempt)
    error_type = attempt.error_type or _result_error(attempt)
    if error_type:
        attributes[semconv.ERROR] = error_type
    return SpanData(
        name=name,
        trace_id=span_ids.trace_id(run),
        span_id=attempt.context.span_id,
        parent_id=span_ids.root_id(run),
        started_ns=attempt.started_ns,
        ended_ns=attempt.ended_ns,
        is_client=attempt.is_model_request,
        attributes=attributes | _common(attempt, run) | content.of_attempt(attempt),
        error_message=content.error_message(attempt) if error_type else None,
        events=[
            (semconv.REFUSED, {semconv.REQUEST_MODEL: model, semconv.REASON: reason})
            for model, reason in attempt.context.refusals
        ],
    )


def _common(attempt: FinishedAttempt, run: str) -> dict[str, AttributeValue]:
    """Return the attributes that identify the run, the execution and the attempt."""
    info, argument = attempt.info, attempt.argument
    # Another workflow than that of the run delivers to destinations that were out of reach.
    conversation = argument.workflow_id if isinstance(argument, ReportDelivery) else info.workflow_id
    return _without_none(
        {
            semconv.AGENT_NAME: semconv.AGENT,
            semconv.CONVERSATION: conversation,
            semconv.RUN: run,
            semconv.ROUND: attempt.round,
            semconv.ATTEMPT: info.attempt,
            semconv.WORKFLOW_ID: info.workflow_id,
            semconv.RUN_ID: info.workflow_run_id,
            semconv.ACTIVITY_ID: info.activity_id,
        }
    )


def _model_request(attempt: FinishedAttempt) -> tuple[str, dict[str, AttributeValue]]:
    context, reply = attempt.context, attempt.result if isinstance(attempt.result, ModelReply) else None
    attributes: dict[str, AttributeValue | None] = {
        semconv.OPERATION: "chat",
        semconv.REPAIRS: [*context.repairs] or None,
    }
    if (profile := context.profile) is not None:
        server = model_server(profile.base_url)
        attributes |= {
            semconv.PROVIDER: server.provider,
            semconv.SERVER_ADDRESS: server.address,
            semconv.SERVER_PORT: server.port,
            semconv.REQUEST_MODEL: profile.name,
            semconv.REQUEST_MAX_TOKENS: profile.max_completion_tokens,
        }
    if reply is not None:
        usage = reply.usage
        attributes |= {
            semconv.RESPONSE_MODEL: context.model,
            semconv.RESPONSE_ID: reply.response_id or reply.trace_id,
            semconv.FINISH_REASONS: [reply.finish_reason or ("tool_calls" if reply.kind == "tool_calls" else "stop")],
            semconv.INPUT_TOKENS: usage.prompt_tokens,
            semconv.OUTPUT_TOKENS: usage.completion_tokens,
            semconv.CACHED_TOKENS: usage.cached_tokens or None,
            semconv.REASONING_TOKENS: usage.reasoning_tokens or None,
            semconv.COST: usage.cost,
        }
    return f"chat {profile.name}" if profile else "chat", _without_none(attributes)


def _tool_call(attempt: FinishedAttempt) -> tuple[str, dict[str, AttributeValue]]:
    attributes: dict[str, AttributeValue] = {
        semconv.OPERATION: "execute_tool",
        semconv.TOOL_NAME: attempt.tool or "",
        semconv.TOOL_TYPE: "function",
        semconv.TOOL_CALL: attempt.info.activity_id,
    }
    if isinstance(attempt.result, ToolResult):
        attributes[semconv.CALL_STATUS] = attempt.result.status
    return f"execute_tool {attempt.tool}", attributes


def _result_error(attempt: FinishedAttempt) -> str | None:
    """Return the error type of a tool result that is not ``ok``."""
    status = attempt.result.status if isinstance(attempt.result, ToolResult) else "ok"
    return None if status == "ok" else f"tool_{status}"


def _other_activity(attempt: FinishedAttempt) -> tuple[str, dict[str, AttributeValue]]:
    if isinstance(attempt.argument, ReportDelivery):
        destination = attempt.argument.destination
        return f"deliver {destination}", {semconv.DESTINATION: destination}
    return attempt.info.activity_type, {}


def investigation_span(
    attempt: FinishedAttempt, delivery: ReportDelivery, run_started: float, more: Mapping[str, AttributeValue]
) -> SpanData:
    """Return the root span of a run that has reported, or the span of a follow-up below it.

    Its times are recorded by Temporal, so that every export has the same span.

    Args:
        attempt: The delivery of the report to the log.
        delivery: Its argument.
        run_started: Unix seconds; infinite if unknown.
        more: Further attributes.
    """
    run, number = delivery.run, delivery.follow_up
    ended = round(attempt.info.scheduled_time.timestamp() * 1e9)
    started = run_started if not number else math.inf if delivery.began is None else delivery.began
    is_error = delivery.status in ("failed", "limit_reached")
    return SpanData(
        name=f"invoke_agent {semconv.AGENT}",
        trace_id=span_ids.trace_id(run),
        span_id=span_ids.follow_up_id(run, number) if number else span_ids.root_id(run),
        parent_id=span_ids.root_id(run) if number else None,
        started_ns=ended if math.isinf(started) else min(round(started * 1e9), ended),
        ended_ns=ended,
        attributes=_without_none(
            {
                semconv.OPERATION: "invoke_agent",
                semconv.AGENT_NAME: semconv.AGENT,
                semconv.AGENT_VERSION: __version__,
                semconv.CONVERSATION: delivery.workflow_id,
                semconv.WORKFLOW_ID: delivery.workflow_id,
                semconv.RUN: run,
                semconv.OUTCOME: delivery.status,
                semconv.SERVICE: delivery.service,
                semconv.SEVERITY: delivery.severity,
                semconv.SOURCE: delivery.origin.source if delivery.origin else None,
                semconv.FOLLOW_UP: number or None,
                semconv.ERROR: delivery.status if is_error else None,
                **more,
            }
        ),
        error_message="" if is_error else None,
    )


def _without_none(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    return {name: value for name, value in attributes.items() if value is not None}
