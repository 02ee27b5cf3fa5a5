"""What a model host does not accept, although its API is that of OpenAI: as set up, and as learnt from its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from watchkeeper.config.host_presets import PRESETS, Feature
from watchkeeper.config.sections import ModelProfile

LimitField: TypeAlias = Literal["max_completion_tokens", "max_tokens"]
_LIMIT_FIELDS: tuple[LimitField, ...] = ("max_completion_tokens", "max_tokens")
_OF_MESSAGES: frozenset[Feature] = frozenset(
    {
        "a system message",
        "a user message after a tool message",
        "null content",
        "added fields of messages",
        "call ids of other hosts",
        "calls without reasoning_content",
        "calls without a thought_signature",
        "several calls in a message",
    }
)


@dataclass(frozen=True)
class MessageField:
    """A field of assistant messages, or of their calls, that a host does not know."""

    name: str


@dataclass(frozen=True)
class CallIdPrefix:
    """The text with which each call id must begin."""

    text: str


Lesson: TypeAlias = Feature | MessageField | CallIdPrefix
"""What a refusal teaches about a host."""


@dataclass(frozen=True)
class Dialect:
    """What a host refuses, and its limits. A worker process keeps one for each model; it only grows."""

    refused: frozenset[Feature] = frozenset()
    unknown_fields: frozenset[str] = frozenset()
    """Fields of assistant messages and calls that are left out."""
    call_id_prefix: str = ""
    """With which call ids begin; empty: with anything."""
    window: int | None = None
    """Tokens of the context window, if the host has named it."""
    read: int | None = None
    """Tokens that the host reads of a prompt, if it cuts longer ones and does not say so."""
    completion: int | None = None
    """Largest limit of a completion, if the host has named it."""

    @classmethod
    def of(cls, profile: ModelProfile) -> Dialect:
        """Return what is known of a host before it is asked."""
        return cls(PRESETS[profile.preset].refuses) if profile.preset else cls()

    def after(self, lesson: Lesson) -> Dialect:
        """Return the dialect of a host that refuses one thing more."""
        if isinstance(lesson, MessageField):
            return replace(self, unknown_fields=self.unknown_fields | {lesson.name})
        if isinstance(lesson, CallIdPrefix):
            return replace(self, call_id_prefix=lesson.text)
        return replace(self, refused=self.refused | {lesson})

    @property
    def limit_field(self) -> LimitField | None:
        """The field for the limit of a completion; None if the host refuses each."""
        return next((field for field in _LIMIT_FIELDS if field not in self.refused), None)

    @property
    def changes_messages(self) -> bool:
        """Whether messages are sent in another form than they are recorded in."""
        return bool(self.unknown_fields or self.call_id_prefix or self.refused & _OF_MESSAGES)

    def learnt_since(self, known: Dialect) -> list[str]:
        """Return what the host has refused since another state, for people."""
        fields = sorted(self.unknown_fields - known.unknown_fields)
        lessons: list[Lesson] = [*sorted(self.refused - known.refused), *map(MessageField, fields)]
        if self.call_id_prefix != known.call_id_prefix:
            lessons.append(CallIdPrefix(self.call_id_prefix))
        return [describe_lesson(lesson) for lesson in lessons]


def describe_lesson(lesson: Lesson) -> str:
    """Return what a host refuses, for people."""
    match lesson:
        case MessageField(name):
            return f"the field {name} of messages"
        case CallIdPrefix(text):
            return f"call ids that do not begin with {text}"
        case _:
            return lesson
