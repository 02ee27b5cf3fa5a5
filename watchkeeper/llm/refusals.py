"""What the errors of several models mean for one request: ask again later, shorten the conversation, or fail (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.llm.errors import LONGEST_REQUESTED_DELAY, ModelError
from watchkeeper.text import utc


@dataclass(frozen=True)
class Refusal:
    """One model that returned no completion."""

    place: int
    """Position of its profile: 0 is the primary model, the others are its fallbacks."""
    model: str
    error: ModelError
    left_out: Sequence[str] = ()
    """What the last request did not contain, because the host had refused it."""


def soonest(refusals: Sequence[Refusal]) -> Refusal | None:
    """Return the refusal of the model that may answer first; None if every model refuses permanently."""
    retryable = [refusal for refusal in refusals if refusal.error.retryable]
    return min(retryable, key=lambda refusal: refusal.error.delay or timedelta(), default=None)


def overflow(refusals: Sequence[Refusal], *, of_fallbacks: bool) -> Refusal | None:
    """Return the refusal of a model for which the conversation is too long; that of a fallback only if asked for."""
    found = [one for one in by_place(refusals) if one.error.reason == "context_overflow"]
    return next((one for one in found if of_fallbacks or one.place == 0), None)


def by_place(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Return refusals in the order of the settings, because attempts do not all begin with the primary model."""
    return sorted(refusals, key=lambda refusal: refusal.place)


def describe(refusals: Sequence[Refusal], long: timedelta, now: datetime) -> str:
    """Write why no model answered, and until when a model asks to wait if that is longer than ``long``."""
    return "; ".join(_describe(refusal, long, now) for refusal in by_place(refusals))


def _describe(refusal: Refusal, long: timedelta, now: datetime) -> str:
    error = refusal.error
    text = f"fallback {refusal.model}: {error}" if refusal.place else str(error)
    if refusal.left_out:
        text += f" (sent without {', '.join(refusal.left_out)}, which it refuses)"
    if not error.retryable or error.delay is None or error.delay <= long:
        return text
    if error.delay >= LONGEST_REQUESTED_DELAY:
        return f"{text} (it asks to wait for a day or longer)"
    return f"{text} (it asks to wait until {utc((now + error.delay).timestamp())})"
