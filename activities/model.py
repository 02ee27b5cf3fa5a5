"""One model call: the request from its digests, the reply normalised before it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.conversations import Conversations
from watchkeeper.completions import read_completion
from watchkeeper.contracts import JsonObject, ModelRequest, Reply, ToolChoice
from watchkeeper.conversation import canonical
from watchkeeper.hosts.refusals import ModelError, Reason
from watchkeeper.hosts.usage import price
from watchkeeper.options import attempt_profile, model_pause, pause
from watchkeeper.settings import ModelProfile

RESAMPLES = 2
"""How often an empty reply is asked for again before it is recorded and costs a round."""

PATIENCE = timedelta(minutes=1)
"""How long a model may ask us to wait before the next one is asked instead."""

LARGER = 4
"""By how much the token cap is raised when reasoning used all of it up."""

ERRORS: dict[Reason, str] = {
    "unavailable": "ModelUnavailable",
    "malformed": "ModelUnavailable",
    "tool_use_failed": "ModelUnavailable",
    "tool_choice": "ModelRefused",
    "context_overflow": "ContextOverflow",
    "content_filter": "ContentFiltered",
    "quota": "ModelQuota",
    "auth": "ModelAuthentication",
    "refused": "ModelRefused",
}
"""The type of the error with which ``ask`` fails, by reason; whether it is retried, the reason says."""


class Completion(Protocol):
    """A response of success, unread."""

    @property
    def body(self) -> bytes: ...  # noqa: D102

    @property
    def trace_id(self) -> str | None: ...  # noqa: D102


class Endpoint(Protocol):
    """One model at one host (``watchkeeper.hosts.endpoint`` speaks to real ones)."""

    @property
    def profile(self) -> ModelProfile: ...  # noqa: D102

    async def complete(self, body: bytes) -> Completion: ...  # noqa: D102


class _Prompt(NamedTuple):
    messages: bytes
    tools: bytes | None
    """None: the model is offered none."""
    names: frozenset[str]
    """All of the catalogue, so that a call written as text is known for what it is."""
    choice: ToolChoice | None


class ModelActivities:
    """Asks the models of a worker, the first one first."""

    def __init__(self, endpoints: Sequence[Endpoint], conversations: Conversations) -> None:
        self._endpoints = endpoints
        self._conversations = conversations

    @activity.defn
    async def ask(self, request: ModelRequest) -> Reply:
        """Put a conversation to the model.

        Attempts 1 to 3 ask the first profile, the next three the next, and so on in turn; a profile that refuses for
        good (key, quota) or asks for a long pause is passed over at once. Fails with one of ``ERRORS``,
        ``EmptyCompletion`` or ``ConversationLost``, to be retried as long as one profile may yet answer.
        """
        prompt = await self._prompt(request)
        attempt = activity.info().attempt
        reply = await self._first_answer(prompt, attempt)
        if reply.kind != "empty":
            self._conversations.store.put(reply.digest, canonical(reply.message))
        elif attempt <= RESAMPLES:
            raise ApplicationError(
                "the model's reply holds neither text nor calls",
                type="EmptyCompletion",
                next_retry_delay=pause(attempt),
            )
        return reply

    async def _prompt(self, request: ModelRequest) -> _Prompt:
        messages = await self._conversations.joined(request)
        tools, names = await self._conversations.tools(request.catalogue)
        return _Prompt(messages, tools if names and not request.toolless else None, names, request.tool_choice)

    async def _first_answer(self, prompt: _Prompt, attempt: int) -> Reply:
        """Ask one model after the other, up to the first that answers or can answer soon."""
        refusals: list[ModelError] = []
        first = attempt_profile(attempt, self._endpoints)
        for endpoint in [*self._endpoints[first:], *self._endpoints[:first]]:
            try:
                reply = await _complete(endpoint, prompt)
            except ModelError as error:
                refusals.append(error)
                if error.retryable and (error.delay or timedelta()) <= PATIENCE:
                    break
                activity.logger.warning("%s refused: %s", endpoint.profile.name, error)
                continue
            answered_as_briefed = endpoint is self._endpoints[0] and reply.model == endpoint.profile.name
            return _without(reply, "model") if answered_as_briefed else reply
        refusal = _telling(refusals)
        raise ApplicationError(
            str(refusal),
            type=ERRORS[refusal.reason],
            non_retryable=not refusal.retryable,
            next_retry_delay=model_pause(attempt, self._endpoints, refusal.delay) if refusal.retryable else None,
        ) from None


def _telling(refusals: Sequence[ModelError]) -> ModelError:
    """Return the refusal that says what to do: make the conversation smaller, else wait, else give up."""
    for refusal in refusals:
        if refusal.reason == "context_overflow":
            return refusal
    passing = [refusal for refusal in refusals if refusal.retryable]
    return min(passing, key=lambda refusal: refusal.delay or timedelta(), default=refusals[0])


def _without(reply: Reply, name: str) -> Reply:
    """Unset a field, so that it is not recorded."""
    return Reply.model_validate(reply.model_dump(exclude_unset=True, exclude={name}))


async def _complete(endpoint: Endpoint, prompt: _Prompt) -> Reply:
    """Ask one host, once more where only a changed request can help."""
    cap = endpoint.profile.max_completion_tokens
    try:
        reply = await _ask(endpoint, prompt, cap)
    except ModelError as error:
        if error.reason != "tool_choice" or prompt.choice is None:
            raise
        activity.logger.warning("%s does not let tools be forced; asking freely", endpoint.profile.name)
        prompt = prompt._replace(choice=None)
        reply = await _ask(endpoint, prompt, cap)
    if reply.kind != "tool_calls" and reply.truncated and cap is not None:
        try:
            return await _ask(endpoint, prompt, cap * LARGER)
        except ModelError as error:  # what was said before the cut is more than nothing
            activity.logger.warning("%s gives no more tokens: %s", endpoint.profile.name, error)
    return reply


async def _ask(endpoint: Endpoint, prompt: _Prompt, cap: int | None) -> Reply:
    body = _body(endpoint.profile, prompt, cap)
    completion = await endpoint.complete(body)
    reply = read_completion(
        completion.body,
        tools=prompt.names,
        tools_allowed=prompt.tools is not None,
        prompt_bytes=len(body),
        trace_id=completion.trace_id,
    )
    if endpoint.profile.prices is None:
        return reply
    cost = price(reply.usage, endpoint.profile.prices)
    return reply.model_copy(update={"usage": reply.usage.model_copy(update={"cost": cost})})


def _body(profile: ModelProfile, prompt: _Prompt, cap: int | None) -> bytes:
    """Write a request, messages first: it differs from the one before it only behind the messages they share."""
    options: JsonObject = {"model": profile.name, **profile.extra_body}
    if cap is not None:
        options["max_completion_tokens"] = cap
    if prompt.tools:
        options |= _choice(profile, prompt.choice)
    tools = (b'"tools":', prompt.tools, b",") if prompt.tools else ()
    return b"".join((b'{"messages":[', prompt.messages, b"],", *tools, canonical(options)[1:]))


def _choice(profile: ModelProfile, choice: ToolChoice | None) -> JsonObject:
    """Say how freely tools may be chosen: nothing where ``auto`` is the default anyway."""
    match choice:
        case ToolChoice(mode="required"):
            return {"tool_choice": "required", **profile.forced_choice_body}
        case ToolChoice(mode="named", function=str(name)):
            named = {"type": "function", "function": {"name": name}}
            return {"tool_choice": named, **profile.forced_choice_body}
        case _:
            return {"tool_choice": "auto"}
