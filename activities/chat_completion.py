"""One chat completion: send a request to a model's host in its dialect, and read the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Set
from functools import partial

from temporalio import activity

from activities.model_host import ModelHost
from watchkeeper.config.host_presets import Feature
from watchkeeper.config.sections import ModelProfile
from watchkeeper.contracts import ModelReply, Usage
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.cut_prompts import is_cut, reasoning_size
from watchkeeper.llm.errors import ModelError, ModelErrorReason, PromptCut
from watchkeeper.llm.host_dialect import CallIdPrefix, Dialect, Lesson
from watchkeeper.llm.host_messages import parse_messages, render_messages
from watchkeeper.llm.host_request import Prompt, offered_tools, render_request, streams
from watchkeeper.llm.prompt_counts import PromptCount
from watchkeeper.llm.refused_features import (
    demands_stream,
    forbids_stream,
    refused_in_messages,
    refuses_field,
    refuses_schema_field,
)
from watchkeeper.llm.token_limits import TokenRefusal, fitted_limit
from watchkeeper.llm.usage import completion_cost
from watchkeeper.telemetry import activity_context
from watchkeeper.temporal.heartbeat import report_progress
from watchkeeper.temporal.heartbeat_detail import written_detail

RAISED_CAP_FACTOR = 4
"""Factor by which the limit of a completion is raised after reasoning used all of it."""

STREAM_OPTIONS = ("stream_options", "include_usage")
"""Fields of a request for the usage of a stream. Mistral refuses the second."""

LARGE_REPLY = 65_536
"""Bytes. A larger one is rare, and may take seconds to read."""


async def request_reply(host: ModelHost, prompt: Prompt) -> ModelReply:
    """Request a reply from one host, and again if only a changed request can succeed.

    Raises ModelError, which is PromptCut if the host reads only a part of the prompt.
    """
    _require_read(host, prompt)
    limit = _limit(host, prompt, host.profile.max_completion_tokens)
    reply = await _ask_as_accepted(host, prompt, limit)
    if reply.kind != "tool_calls" and reply.truncated and limit is not None:
        raised = _limit(host, prompt, limit * RAISED_CAP_FACTOR)
        if raised is None or raised <= limit:
            return reply
        try:
            return await _ask_as_accepted(host, prompt, raised, above=limit)
        except ModelError as error:  # the reply that was cut is better than none
            activity.logger.warning("%s refused a larger token limit: %s", host.profile.name, error)
    return reply


def _limit(host: ModelHost, prompt: Prompt, wanted: int | None) -> int | None:
    """Return the limit of a completion that the host accepts and that fits into the window next to the prompt."""
    if wanted is None:
        return None
    accepted = min(wanted, host.dialect.completion or wanted)
    return fitted_limit(accepted, host.window, host.counts.estimate(prompt.base, prompt.size))


async def _ask_as_accepted(host: ModelHost, prompt: Prompt, limit: int | None, above: int = 0) -> ModelReply:
    """Request a reply, without what the host turns out not to accept.

    Each repetition leaves out one more feature, or has a smaller limit, but only one above ``above``.
    """
    smaller_limits = 0
    while True:
        try:
            reply = await _ask(host, prompt, limit)
        except ModelError as error:
            if (lesson := _lesson(host, error, prompt, limit)) is not None:
                host.learn(lesson, str(error))
                continue
            if (limit := _next_limit(host, prompt, error, limit, smaller_limits)) <= above:
                raise
            smaller_limits += 1
            continue
        if not _is_forbidden_call(host.dialect, prompt, reply):
            return reply
        host.learn("tool_choice none", "its model called a tool")


_TEACHING: Set[ModelErrorReason] = {"refused", "tool_choice", "context_overflow", "tool_use_failed"}
"""Reasons of errors that a changed request may avoid."""

TEMPLATE_FAILED = 500
"""Status with which llama.cpp and others report that the model's template does not accept the messages."""


def _lesson(host: ModelHost, error: ModelError, prompt: Prompt, limit: int | None) -> Lesson | None:
    """Return what a refusal does not accept of a request, if it can be left out."""
    profile, dialect = host.profile, host.dialect
    if not _teaches(error):
        return None
    if error.reason == "tool_use_failed":  # Groq's answer to a call that the request forbids, too
        return "tool_choice none" if prompt.forbids and offered_tools(dialect, prompt) else None
    option = None if error.status == TEMPLATE_FAILED else _refused_option(error, profile, dialect, prompt, limit)
    if option is not None:
        return option
    lesson = refused_in_messages(error.said, parse_messages(render_messages(prompt.messages, dialect)))
    return None if isinstance(lesson, CallIdPrefix) and dialect.call_id_prefix else lesson


def _teaches(error: ModelError) -> bool:
    """Return whether an error may name what a host does not accept. Gateways report refusals with status 200, too."""
    relayed = error.reason == "unavailable" and error.status in {400, 422, TEMPLATE_FAILED}
    return relayed or error.reason in _TEACHING


def _refused_option(
    error: ModelError, profile: ModelProfile, dialect: Dialect, prompt: Prompt, limit: int | None
) -> Feature | None:
    """Return what a refusal does not accept of a request, except of its messages."""
    if limit is not None and dialect.limit_field is not None and refuses_field(error.said, dialect.limit_field):
        return dialect.limit_field
    if "stream_options" not in dialect.refused and any(refuses_field(error.said, name) for name in STREAM_OPTIONS):
        return "stream_options"
    if "an answer without a stream" not in dialect.refused and demands_stream(error.said):
        return None if streams(profile, dialect) else "an answer without a stream"
    if "stream" not in dialect.refused and (
        refuses_field(error.said, "stream") or (streams(profile, dialect) and forbids_stream(error.said))
    ):
        return "stream"
    closed = b'"additionalProperties"' in (prompt.tools or b"")
    if closed and "additionalProperties of tools" not in dialect.refused and refuses_schema_field(error.said):
        return "additionalProperties of tools"
    if error.reason == "tool_choice" and prompt.forbids and offered_tools(dialect, prompt):
        return "tool_choice none"
    if error.reason == "tool_choice" and prompt.forces and "forced tool_choice" not in dialect.refused:
        return "forced tool_choice"
    if "tool_choice" not in dialect.refused and prompt.tools and refuses_field(error.said, "tool_choice"):
        return "tool_choice"
    return None


def _next_limit(host: ModelHost, prompt: Prompt, error: ModelError, limit: int | None, smaller_limits: int) -> int:
    """Return a smaller limit after a refusal for its tokens.

    Raises ModelError: the prompt leaves no room for a completion, or the error if it is about something else.
    """
    if limit is None or error.status == TEMPLATE_FAILED or not _teaches(error):
        raise error
    if (refusal := TokenRefusal.read(error.said, limit)) is None:
        raise error
    host.learn_tokens(refusal, str(error))
    estimate = host.counts.estimate(prompt.base, prompt.size)
    if (smaller := refusal.next_limit(limit, estimate, smaller_limits)) is None:
        raise ModelError("context_overflow", str(error), status=error.status) from error
    return smaller


def _is_forbidden_call(dialect: Dialect, prompt: Prompt, reply: ModelReply) -> bool:
    """Return whether the host gave its model tools that it may not call, and the model called one."""
    forbidden = prompt.forbids and offered_tools(dialect, prompt) is not None
    return forbidden and (reply.kind == "tool_calls" or reply.text_call)


def _show_progress(characters: int) -> None:
    report_progress(written_detail(characters))


async def _ask(host: ModelHost, prompt: Prompt, limit: int | None) -> ModelReply:
    profile, offered = host.profile, offered_tools(host.dialect, prompt)
    body = render_request(profile, host.dialect, prompt, limit)
    activity_context.note_request(profile, prompt.messages)
    if prompt.forces and "forced tool_choice" in host.dialect.refused:
        activity_context.note_repair("unforced")
    completion = await host.endpoint.complete(body, stream=streams(profile, host.dialect), progress=_show_progress)
    read = partial(
        read_completion,
        completion.body,
        tools=prompt.parameters,
        tools_allowed=offered is not None,
        prompt_bytes=len(body),
        trace_id=completion.trace_id,
    )
    # A large reply is read in a thread, because the event loop must send heartbeats meanwhile.
    reply = await asyncio.to_thread(read) if len(completion.body) > LARGE_REPLY else read()
    activity_context.note_reply(reply, prompt.parameters.keys(), completion.body)
    _check_count(host, prompt, reply.usage)
    if profile.prices is None:
        return reply
    cost = completion_cost(reply.usage, profile.prices)
    return reply.model_copy(update={"usage": reply.usage.model_copy(update={"cost": cost})})


def _require_read(host: ModelHost, prompt: Prompt) -> None:
    """Raise PromptCut if the host is known to read only a part of a prompt of this size."""
    read, tokens = host.dialect.read, host.counts.estimate(prompt.base, prompt.size)
    if read is not None and tokens > read and not prompt.may_be_cut:
        raise PromptCut(f"not asked: {_cut_text(host, read, tokens)}")


def _check_count(host: ModelHost, prompt: Prompt, usage: Usage) -> None:
    """Keep the number of tokens that the host counted in a prompt.

    Raises PromptCut if it has read only a part of the prompt, unless that is to be accepted.
    """
    # Some gateways do not count the cached tokens as tokens of the prompt.
    if usage.estimated or usage.cached_tokens >= usage.prompt_tokens:
        return
    now, before = PromptCount(prompt.size, usage.prompt_tokens), host.counts.of(prompt.base)
    if not is_cut(now, before, lambda: prompt.size - reasoning_size(prompt.messages)):
        host.counts.note(prompt.digest, now)
        return
    text = _cut_text(host, usage.prompt_tokens, host.counts.estimate(prompt.base, prompt.size))
    host.learn_read(max(usage.prompt_tokens, before.tokens if before else 0), text)
    activity_context.note_repair("cut_prompt")
    if not prompt.may_be_cut:
        raise PromptCut(text)


def _cut_text(host: ModelHost, read: int, tokens: int) -> str:
    return (
        f"{host.profile.name} reads only {read:,} of the about {tokens:,} tokens of the conversation, and does not say "
        "so; give the host a larger context window (Ollama: OLLAMA_CONTEXT_LENGTH, or num_ctx of the model), and set "
        "context_tokens to its size"
    )
