"""One model call: the request from its digests, the reply normalised before it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.chat_completion import ModelEndpoint, Prompt, request_reply
from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import ModelReply, ModelRequest
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError, ModelErrorReason
from watchkeeper.telemetry import activity_context
from watchkeeper.temporal.activity_options import backoff, model_retry_delay, profile_index

EMPTY_REPLY_RETRIES = 2
"""How often an empty reply is asked for again before it is recorded and costs a round."""

LONGEST_MODEL_DELAY = timedelta(minutes=1)
"""How long a model may ask us to wait before the next one is asked instead."""

ERROR_TYPES: dict[ModelErrorReason, str] = {
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


class AskActivities:
    """Asks the models of a worker, the first one first."""

    def __init__(self, endpoints: Sequence[ModelEndpoint], conversations: ConversationCache) -> None:
        self._endpoints = endpoints
        self._conversations = conversations

    @activity.defn
    async def ask(self, request: ModelRequest) -> ModelReply:
        """Put a conversation to the model.

        Attempts 1 to 3 ask the first profile, the next three the next, and so on in turn; a profile that refuses for
        good (key, quota) or asks for a long pause is passed over at once. Fails with one of ``ERROR_TYPES``,
        ``EmptyCompletion`` or ``ConversationLost``, to be retried as long as one profile may yet answer.
        """
        prompt = await self._prompt(request)
        attempt = activity.info().attempt
        reply = await self._first_answer(prompt, attempt)
        if reply.kind != "empty":
            self._conversations.store.put(reply.digest, canonical_json(reply.message))
        elif attempt <= EMPTY_REPLY_RETRIES:
            raise ApplicationError(
                "the model's reply holds neither text nor calls",
                type="EmptyCompletion",
                next_retry_delay=backoff(attempt),
            )
        return reply

    async def _prompt(self, request: ModelRequest) -> Prompt:
        messages = await self._conversations.messages(request)
        tools, names = await self._conversations.tools(request.catalogue)
        return Prompt(messages, tools if names and not request.toolless else None, names, request.tool_choice)

    async def _first_answer(self, prompt: Prompt, attempt: int) -> ModelReply:
        """Ask one model after the other, up to the first that answers or can answer soon."""
        refusals: list[ModelError] = []
        first = profile_index(attempt, self._endpoints)
        for endpoint in [*self._endpoints[first:], *self._endpoints[:first]]:
            try:
                reply = await request_reply(endpoint, prompt)
            except ModelError as error:
                activity_context.note_refusal(endpoint.profile, error.reason)
                refusals.append(error)
                if error.retryable and (error.delay or timedelta()) <= LONGEST_MODEL_DELAY:
                    break
                activity.logger.warning("%s refused: %s", endpoint.profile.name, error)
                continue
            answered_as_briefed = endpoint is self._endpoints[0] and reply.model == endpoint.profile.name
            return _without_field(reply, "model") if answered_as_briefed else reply
        refusal = _decisive_error(refusals)
        raise ApplicationError(
            str(refusal),
            type=ERROR_TYPES[refusal.reason],
            non_retryable=not refusal.retryable,
            next_retry_delay=model_retry_delay(attempt, self._endpoints, refusal.delay) if refusal.retryable else None,
        ) from None


def _decisive_error(refusals: Sequence[ModelError]) -> ModelError:
    """Return the refusal that says what to do: make the conversation smaller, else wait, else give up."""
    for refusal in refusals:
        if refusal.reason == "context_overflow":
            return refusal
    passing = [refusal for refusal in refusals if refusal.retryable]
    return min(passing, key=lambda refusal: refusal.delay or timedelta(), default=refusals[0])


def _without_field(reply: ModelReply, name: str) -> ModelReply:
    """Unset a field, so that it is not recorded."""
    return ModelReply.model_validate(reply.model_dump(exclude_unset=True, exclude={name}))
