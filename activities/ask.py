"""The activity ``ask``: one model call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.chat_completion import request_reply
from activities.conversation_cache import ConversationCache
from activities.model_host import ModelEndpoint, ModelHost
from watchkeeper.contracts import FallbackWindows, ModelReply, ModelRequest, ToolChoice
from watchkeeper.llm import refusals
from watchkeeper.llm.conversation import canonical_json, target_digest
from watchkeeper.llm.errors import LONGEST_REQUESTED_DELAY, ModelError, ModelErrorReason, PromptCut
from watchkeeper.llm.host_request import Prompt
from watchkeeper.llm.refusals import Refusal
from watchkeeper.telemetry import activity_context
from watchkeeper.temporal.activity_options import backoff, model_retry_delay, profile_index
from watchkeeper.text import rough_duration

EMPTY_REPLY_RETRIES = 2
"""Retries after an empty reply, before it is recorded and costs a round."""

LONGEST_MODEL_DELAY = timedelta(minutes=1)
"""Longest delay that a host may ask for; after a longer one, the next model is used."""

FALLBACK_WINDOW_WAIT = timedelta(minutes=2)
"""How long a call waits for another model before the conversation is shortened for a fallback with a small window."""

MAY_ANSWER = "a model may still answer"
"""Detail of a ``ContextOverflow``: if the conversation cannot be shortened, asking again can succeed all the same."""

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
        self._hosts = [ModelHost(endpoint) for endpoint in endpoints]
        self._conversations = conversations

    @activity.defn
    async def ask(self, request: ModelRequest) -> ModelReply:
        """Send a conversation to a model and return its reply, normalised.

        Attempts 1 to 3 use the first profile, the next three attempts the next profile, and so on. A profile that
        refuses permanently (key, quota), whose context window is too small or that asks for a long delay is skipped at
        once. Fails with one of ``ERROR_TYPES``, ``EmptyCompletion`` or ``ConversationLost``; retryable while a profile
        may still answer in the time that the call has.

        ``ContextOverflow`` asks for a shorter conversation. Its details hold ``MAY_ANSWER`` if only a fallback needs
        it and another model may still answer, or if a host reads a part of a longer one without an error.
        """
        clock = _CallClock.start()
        prompt = await self._prompt(request)
        attempt = activity.info().attempt
        prompt = prompt._replace(may_be_cut=request.fallback_windows == "ignore")
        reply = await self._first_answer(prompt, attempt, request.fallback_windows, clock)
        if reply.kind != "empty":
            self._conversations.store.put(reply.digest, canonical_json(reply.message))
        elif attempt <= EMPTY_REPLY_RETRIES and not reply.text_call:  # a call in its text
            raise ApplicationError(
                "the model's reply holds neither text nor calls",
                type="EmptyCompletion",
                next_retry_delay=backoff(attempt),
            )
        return reply

    async def _prompt(self, request: ModelRequest) -> Prompt:
        messages = await self._conversations.messages(request)
        tools, parameters = await self._conversations.tools(request.catalogue)
        choice = ToolChoice(mode="none") if request.toolless else request.tool_choice
        offered = tools if parameters else None
        return Prompt(messages, request.base, target_digest(request), offered, parameters, choice)

    async def _first_answer(
        self, prompt: Prompt, attempt: int, windows: FallbackWindows | None, clock: _CallClock
    ) -> ModelReply:
        """Use one model after the other, up to the first that answers or can answer soon."""
        found: list[Refusal] = []
        first, places = profile_index(attempt, self._hosts), range(len(self._hosts))
        for place in [*places[first:], *places[:first]]:
            host = self._hosts[place]
            try:
                if place:
                    _check_window(host, prompt)
                reply = await request_reply(host, prompt)
            except ModelError as error:
                activity_context.note_refusal(host.profile, error.reason)
                found.append(Refusal(place, host.profile.name, error, host.learnt))
                if error.retryable and (error.delay or timedelta()) <= LONGEST_MODEL_DELAY:
                    break
                activity.logger.warning("%s refused: %s", host.profile.name, error)
                continue
            answered_as_briefed = place == 0 and reply.model == host.profile.name
            return _without_field(reply, "model") if answered_as_briefed else reply
        raise self._failure(found, attempt, windows, clock) from None

    def _failure(
        self, found: Sequence[Refusal], attempt: int, windows: FallbackWindows | None, clock: _CallClock
    ) -> ApplicationError:
        """Return the error to fail with. An error of a fallback never decides while another model may answer."""
        text = refusals.describe(found, LONGEST_MODEL_DELAY, datetime.now(UTC))
        soonest = refusals.soonest(found)
        delay = model_retry_delay(attempt, self._hosts, soonest.error.delay) if soonest else None
        in_time = delay is not None and delay < clock.left()
        late = delay is None or clock.passed() + delay > min(FALLBACK_WINDOW_WAIT, clock.allowed)
        fits_fallbacks = soonest is None or (windows == "fit" or (windows is None and late))
        if (overflow := refusals.overflow(found, of_fallbacks=fits_fallbacks)) is not None:
            only_fallback = overflow.place > 0 and soonest is not None
            may_answer = only_fallback or isinstance(overflow.error, PromptCut)
            return ApplicationError(
                text, *([MAY_ANSWER] if may_answer else []), type="ContextOverflow", non_retryable=True
            )
        decisive = soonest or refusals.by_place(found)[0]
        asks_long = delay is not None and delay > LONGEST_MODEL_DELAY
        if asks_long and not in_time:
            allowed = rough_duration(clock.allowed.total_seconds())
            text = f"{text}; the run cannot wait that long, since a model call may take {allowed}"
        return ApplicationError(
            text, type=ERROR_TYPES[decisive.error.reason], non_retryable=not in_time, next_retry_delay=delay
        )


@dataclass(frozen=True)
class _CallClock:
    """The time of one model call, over all its attempts. Temporal's clock counts up to the start of this attempt."""

    before: timedelta
    """From the beginning of the call to the start of this attempt."""
    started: float
    allowed: timedelta

    @classmethod
    def start(cls) -> _CallClock:
        """Return the clock of the current attempt, which starts now."""
        info = activity.info()
        return cls(
            info.started_time - info.scheduled_time,
            time.monotonic(),
            info.schedule_to_close_timeout or LONGEST_REQUESTED_DELAY,
        )

    def passed(self) -> timedelta:
        """Return how long the call has taken."""
        return self.before + timedelta(seconds=time.monotonic() - self.started)

    def left(self) -> timedelta:
        """Return how long the call may still take."""
        return self.allowed - self.passed()


def _check_window(host: ModelHost, prompt: Prompt) -> None:
    """Raise ModelError if the prompt is too long for the context window in the settings of a fallback."""
    tokens = host.counts.estimate(prompt.base, prompt.size)
    if tokens > host.profile.context_tokens:
        window = f"its context window has {host.profile.context_tokens:,} tokens, and the conversation about {tokens:,}"
        raise ModelError("context_overflow", f"not asked: {window}")


def _without_field(reply: ModelReply, name: str) -> ModelReply:
    """Unset a field, so that it is not recorded."""
    values = {field: getattr(reply, field) for field in reply.model_fields_set - {name}}
    return ModelReply.model_construct(set(values), **values)
