"""Whether a JSON alert fires or has ended: by the settings of its source, otherwise by the meaning of its status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from watchkeeper.alerts.json_path import all_values
from watchkeeper.alerts.json_text import state_text
from watchkeeper.alerts.status_words import Meaning, begins, is_health, is_neutral, status_meaning

_OPPOSITE: Mapping[Meaning, Meaning] = {"firing": "resolved", "resolved": "firing"}


@dataclass(frozen=True)
class StatusReader:
    """Reads the status of an alert from the values at the paths of its status."""

    resolved: list[str] = field(default_factory=list)
    """Patterns of status values; empty: not set."""
    firing: list[str] = field(default_factory=list)
    is_path_set: bool = False
    """The settings name the paths of the status, so its first value counts."""

    def read(
        self, values: Sequence[object], ends_at: int | None, now: float, flags: Sequence[Meaning] = ()
    ) -> Meaning | None:
        """Return whether an alert fires; None if its status is neither, so that it changes nothing.

        ``ends_at``: Unix microseconds. An alert whose status says nothing has ended if this time has passed.
        ``flags``: what the body's true and false say. They count where no word says whether it fires.
        """
        words = [state_text(value) for value in values]
        words = [word.strip() for word in words if word.strip()]
        if self.is_path_set:
            words = words[:1]
        if self.resolved or self.firing:
            return self._by_settings(words[0] if words else "")
        words_with_meaning = [word for word in words if status_meaning(word)]
        if words_with_meaning:
            first, *others = words_with_meaning
            # Some senders report in "status" that the request succeeded, and the alert in another field.
            return "firing" if is_health(first) and any(map(begins, others)) else status_meaning(first)
        if flags and not self.is_path_set:
            return "firing" if "firing" in flags else "resolved"
        has_ended = ends_at is not None and ends_at <= now * 1e6
        return "resolved" if has_ended and all(is_neutral(word) for word in words) else "firing"

    def _by_settings(self, word: str) -> Meaning | None:
        if matches(word, self.resolved):
            return "resolved"
        if matches(word, self.firing):
            return "firing"
        if not self.resolved and status_meaning(word) == "resolved":
            return "resolved"
        return None if self.firing else "firing"


def flag_meanings(item: object, flags: Mapping[str, Meaning], outer: Sequence[str]) -> list[Meaning]:
    """Return what the flags of a body say, such as ``{"resolved": true}``, in it and in these objects inside it.

    ``flags``: for each name, what true means.
    """
    found: list[Meaning] = []
    for holder in (item, *all_values(item, outer)):
        if not isinstance(holder, dict):
            continue
        for name, meaning in flags.items():
            if isinstance(value := holder.get(name), bool):
                found.append(meaning if value else _OPPOSITE[meaning])
    return found


def matches(word: str, patterns: Sequence[str]) -> bool:
    """Return whether a word matches a pattern with ``*`` and ``?``, in upper or lower case."""
    return any(fnmatchcase(word.strip().lower(), pattern.lower()) for pattern in patterns)
