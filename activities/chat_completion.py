"""One chat completion: write the request, send it to a model endpoint, read the reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from temporalio import activity

from watchkeeper.config.settings import ModelProfile
from watchkeeper.contracts import JsonObject, ModelReply, ToolChoice
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError
from watchkeeper.llm.usage import completion_cost
from watchkeeper.telemetry import activity_context

RAISED_CAP_FACTOR = 4
"""Factor by which the token cap is raised after reasoning used all of it."""


class EndpointResponse(Protocol):
    """A successful response, not parsed yet."""

    @property
    def body(self) -> bytes: ...  # noqa: D102

    @property
    def trace_id(self) -> str | None: ...  # noqa: D102


class ModelEndpoint(Protocol):
    """One model at one host; ``watchkeeper.llm.client.ModelClient`` is the HTTP client."""

    @property
    def profile(self) -> ModelProfile: ...  # noqa: D102

    async def complete(self, body: bytes) -> EndpointResponse: ...  # noqa: D102


class Prompt(NamedTuple):
    """A request, in the form that is the same for every model."""

    messages: bytes
    tools: bytes | None
    """None: the request offers no tools."""
    parameters: Mapping[str, JsonObject]
    """The JSON schemas of all tools in the catalogue by name, to recognise a call that the model writes as text."""
    choice: ToolChoice | None


async def request_reply(endpoint: ModelEndpoint, prompt: Prompt) -> ModelReply:
    """Request a reply from one host, and once more if only a changed request can succeed. Raises ModelError."""
    cap = endpoint.profile.max_completion_tokens
    try:
        reply = await _ask(endpoint, prompt, cap)
    except ModelError as error:
        if error.reason != "tool_choice" or prompt.choice is None:
            raise
        activity.logger.warning("%s does not accept a forced tool; retrying without it", endpoint.profile.name)
        activity_context.note_repair("unforced")
        prompt = prompt._replace(choice=None)
        reply = await _ask(endpoint, prompt, cap)
    if reply.kind != "tool_calls" and reply.truncated and cap is not None:
        try:
            return await _ask(endpoint, prompt, cap * RAISED_CAP_FACTOR)
        except ModelError as error:  # the reply that was cut is better than none
            activity.logger.warning("%s refused a larger token cap: %s", endpoint.profile.name, error)
    return reply


async def _ask(endpoint: ModelEndpoint, prompt: Prompt, cap: int | None) -> ModelReply:
    body = _body(endpoint.profile, prompt, cap)
    activity_context.note_request(endpoint.profile, prompt.messages)
    completion = await endpoint.complete(body)
    reply = read_completion(
        completion.body,
        tools=prompt.parameters,
        tools_allowed=prompt.tools is not None,
        prompt_bytes=len(body),
        trace_id=completion.trace_id,
    )
    activity_context.note_reply(reply, prompt.parameters.keys(), completion.body)
    if endpoint.profile.prices is None:
        return reply
    cost = completion_cost(reply.usage, endpoint.profile.prices)
    return reply.model_copy(update={"usage": reply.usage.model_copy(update={"cost": cost})})


def _body(profile: ModelProfile, prompt: Prompt, cap: int | None) -> bytes:
    """Encode a request, messages first, so that consecutive requests share a prefix that hosts can cache."""
    options: JsonObject = {"model": profile.name, **profile.extra_body}
    if cap is not None:
        options["max_completion_tokens"] = cap
    if prompt.tools:
        options |= _choice(profile, prompt.choice)
    tools = (b'"tools":', prompt.tools, b",") if prompt.tools else ()
    return b"".join((b'{"messages":[', prompt.messages, b"],", *tools, canonical_json(options)[1:]))


def _choice(profile: ModelProfile, choice: ToolChoice | None) -> JsonObject:
    """Return the ``tool_choice`` of a request."""
    match choice:
        case ToolChoice(mode="required"):
            return {"tool_choice": "required", **profile.forced_choice_body}
        case ToolChoice(mode="named", function=str(name)):
            named = {"type": "function", "function": {"name": name}}
            return {"tool_choice": named, **profile.forced_choice_body}
        case _:
            return {"tool_choice": "auto"}
