"""One model at its host, and what this worker process has learnt about the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from temporalio import activity

from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm.host_dialect import Dialect, Lesson, describe_lesson
from watchkeeper.llm.prompt_counts import PromptCounts
from watchkeeper.llm.token_limits import TokenRefusal


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

    async def complete(  # noqa: D102
        self, body: bytes, *, stream: bool, progress: Callable[[int], None]
    ) -> EndpointResponse: ...


class ModelHost:
    """A model endpoint, the dialect of its host, and how the host counted the latest prompts.

    All this is kept in memory: a workflow records nothing of it, and a new process learns it again.
    """

    def __init__(self, endpoint: ModelEndpoint) -> None:
        self.endpoint = endpoint
        self.dialect = self._known = Dialect.of(endpoint.profile)
        self.counts = PromptCounts()

    @property
    def profile(self) -> ModelProfile:
        """The settings of the model."""
        return self.endpoint.profile

    @property
    def window(self) -> int:
        """Tokens of the model's context window: as the host says, if that is less than the settings say."""
        return min(self.profile.context_tokens, self.dialect.window or self.profile.context_tokens)

    @property
    def learnt(self) -> list[str]:
        """What this process has learnt that the host refuses, for people."""
        return self.dialect.learnt_since(self._known)

    def learn(self, lesson: Lesson, why: str) -> None:
        """Remember what the host refuses; ``why`` is for the log."""
        what = describe_lesson(lesson)
        self.dialect = self.dialect.after(lesson)
        activity.logger.warning("%s does not accept %s, which is no longer sent: %s", self.profile.name, what, why)

    def learn_tokens(self, refusal: TokenRefusal, why: str) -> None:
        """Remember the context window and the largest completion that a host names in a refusal."""
        name, window, completion = self.profile.name, refusal.window, refusal.completion
        if window is not None and window < self.window:
            self.dialect = replace(self.dialect, window=window)
            text = f"{window:,} tokens, not {self.profile.context_tokens:,}; set context_tokens to {window}"
            activity.logger.warning("%s has a context window of %s: %s", name, text, why)
        if completion is not None and completion < (self.dialect.completion or completion + 1):
            self.dialect = replace(self.dialect, completion=completion)
            activity.logger.warning("%s writes at most %s tokens: %s", name, f"{completion:,}", why)

    def learn_read(self, tokens: int, why: str) -> None:
        """Remember how many tokens of a prompt the host reads, if it cuts longer ones."""
        self.dialect = replace(self.dialect, read=tokens)
        activity.logger.warning("%s", why)
