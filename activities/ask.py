"""The activity ``ask``: one model call."""

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
"""Retries after an empty reply, before it is recorded and costs a round."""

LONGEST_MODEL_DELAY = timedelta(minutes=1)
"""Longest delay that a host may ask for; after a longer one, the next model is used."""

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
"""The error type with which ``ask`` fails, by reason. The reason also decides whether it is retried."""


class AskActivities:
    """Calls the models of the settings."""

    def __init__(self, endpoints: Sequence[ModelEndpoint], conversations: ConversationCache) -> None:
        self._endpoints = endpoints
        self._conversations = conversations

    @activity.defn
    async def ask(self, request: ModelRequest) -> ModelReply:
        """Send a conversation to a model and return its reply, normalised.

        Attempts 1 to 3 use the first profile, the next three attempts the next profile, and so on. A profile that
        refuses permanently (key, quota) or asks for a long delay is skipped at once. Fails with one of ``ERROR_TYPES``,
        ``EmptyCompletion`` or ``ConversationLost``; retryable while a profile may still answer.
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
        """Use one model after the other, up to the first that answers or can answer soon."""
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
    """Return the error to fail with: context overflow first, then the shortest delay, then the first error."""
    for refusal in refusals:
        if refusal.reason == "context_overflow":
            return refusal
    retryable = [refusal for refusal in refusals if refusal.retryable]
    return min(retryable, key=lambda refusal: refusal.delay or timedelta(), default=refusals[0])


def _without_field(reply: ModelReply, name: str) -> ModelReply:
    """Unset a field, so that it is not recorded."""
    return ModelReply.model_validate(reply.model_dump(exclude_unset=True, exclude={name}))
