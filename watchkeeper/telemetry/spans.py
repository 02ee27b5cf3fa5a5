"""What is told of an attempt, as a span that can be read by itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

from watchkeeper import __version__
from watchkeeper.contracts import ModelReply, ReportDelivery, ToolResult
from watchkeeper.telemetry import semconv, span_ids
from watchkeeper.telemetry.activity_attempt import Step
from watchkeeper.telemetry.content_capture import Content
from watchkeeper.telemetry.providers import server_of
from watchkeeper.telemetry.tracer import Fact, Value


def span_of(step: Step, content: Content) -> Fact:
    """Tell of an attempt: ``chat``, ``execute_tool``, or by the name of its activity."""
    run = step.attempt.run
    name, attributes = _asked(step) if step.asked else _ran(step) if step.tool else _did(step)
    failure = step.failure or _no(step)
    if failure:
        attributes[semconv.ERROR] = failure
    return Fact(
        name=name,
        trace_id=span_ids.trace_id(run),
        span_id=step.attempt.span_id,
        parent_id=span_ids.root_id(run),
        began=step.began,
        ended=step.ended,
        client=step.asked,
        attributes=attributes | _standing(step, run) | content.of(step),
        failed=content.failure(step) if failure else None,
        events=[
            (semconv.REFUSED, {semconv.REQUEST_MODEL: model, semconv.REASON: reason})
            for model, reason in step.attempt.refusals
        ],
    )


def _standing(step: Step, run: str) -> dict[str, Value]:
    """Say where a span belongs, for whoever finds it alone."""
    info = step.info
    told: dict[str, Value | None] = {
        semconv.AGENT_NAME: semconv.AGENT,
        semconv.CONVERSATION: info.workflow_id,
        semconv.RUN: run,
        semconv.ROUND: step.round,
        semconv.ATTEMPT: info.attempt,
        semconv.WORKFLOW_ID: info.workflow_id,
        semconv.RUN_ID: info.workflow_run_id,
        semconv.ACTIVITY_ID: info.activity_id,
    }
    return {name: value for name, value in told.items() if value is not None}


def _asked(step: Step) -> tuple[str, dict[str, Value]]:
    attempt, reply = step.attempt, step.result if isinstance(step.result, ModelReply) else None
    told: dict[str, Value | None] = {semconv.OPERATION: "chat", semconv.REPAIRS: [*attempt.repairs] or None}
    if (profile := attempt.profile) is not None:
        server = server_of(profile.base_url)
        told |= {
            semconv.PROVIDER: server.provider,
            semconv.SERVER_ADDRESS: server.address,
            semconv.SERVER_PORT: server.port,
            semconv.REQUEST_MODEL: profile.name,
            semconv.REQUEST_MAX_TOKENS: profile.max_completion_tokens,
        }
    if reply is not None:
        usage = reply.usage
        told |= {
            semconv.RESPONSE_MODEL: attempt.model,
            semconv.RESPONSE_ID: reply.response_id or reply.trace_id,
            semconv.FINISH_REASONS: [reply.finish_reason or ("tool_calls" if reply.kind == "tool_calls" else "stop")],
            semconv.INPUT_TOKENS: usage.prompt_tokens,
            semconv.OUTPUT_TOKENS: usage.completion_tokens,
            semconv.CACHED_TOKENS: usage.cached_tokens or None,
            semconv.REASONING_TOKENS: usage.reasoning_tokens or None,
            semconv.COST: usage.cost,
        }
    model = f" {attempt.profile.name}" if attempt.profile else ""
    return f"chat{model}", {name: value for name, value in told.items() if value is not None}


def _ran(step: Step) -> tuple[str, dict[str, Value]]:
    told: dict[str, Value] = {
        semconv.OPERATION: "execute_tool",
        semconv.TOOL_NAME: step.tool or "",
        semconv.TOOL_TYPE: "function",
        semconv.TOOL_CALL: step.info.activity_id,
    }
    if isinstance(step.result, ToolResult):
        told[semconv.CALL_STATUS] = step.result.status
    return f"execute_tool {step.tool}", told


def _no(step: Step) -> str | None:
    """Return what a tool's "no" is called as an error."""
    status = step.result.status if isinstance(step.result, ToolResult) else "ok"
    return None if status == "ok" else f"tool_{status}"


def _did(step: Step) -> tuple[str, dict[str, Value]]:
    if isinstance(step.given, ReportDelivery):
        place = step.given.destination
        return f"deliver {place}", {semconv.DESTINATION: place}
    return step.info.activity_type, {}


def investigation(step: Step, delivery: ReportDelivery, run_began: float, more: Mapping[str, Value]) -> Fact:
    """Tell of an investigation that is reported: the root of its run, or below it that of a follow-up.

    Its times are those that Temporal recorded, so that it is the same span however often it is told. ``run_began`` is
    in Unix seconds; ``more`` are further attributes.
    """
    run, number = delivery.run, delivery.follow_up
    ended = round(step.info.scheduled_time.timestamp() * 1e9)
    since = run_began if not number else math.inf if delivery.began is None else delivery.began
    told: dict[str, Value | None] = {
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
        semconv.ERROR: delivery.status if delivery.status in ("failed", "limit_reached") else None,
        **more,
    }
    return Fact(
        name=f"invoke_agent {semconv.AGENT}",
        trace_id=span_ids.trace_id(run),
        span_id=span_ids.follow_up_id(run, number) if number else span_ids.root_id(run),
        parent_id=span_ids.root_id(run) if number else None,
        began=ended if math.isinf(since) else min(round(since * 1e9), ended),
        ended=ended,
        attributes={name: value for name, value in told.items() if value is not None},
        failed="" if delivery.status in ("failed", "limit_reached") else None,
    )
