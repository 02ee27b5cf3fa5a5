"""What the status of a sender means, if the settings do not list its values.

The word may be the name of an event (``incident.resolved``, ``MONITOR_UP``) or a phrase (``Manually resolved``,
``resolved by Jane``, ``back to normal``). An unknown word does not end anything.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["firing", "resolved"]

_WORD = re.compile(r"[a-z']+|[A-Z']+(?![a-z])|[A-Z][a-z']+|\d+|[^\W\d_]+")
_MAX_WORDS = 30
_MAX_CHARS = 500


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_ENDED = _set("resolved recovered cleared fixed solved remediated normalized")
"""An end, also of something named before it, such as ``disk recovered``."""

_ENDED_ALONE = _set(
    "resolve resolves resolving recover recovers recovery recoveries restored closed close closes closing completed",
    "complete cancelled canceled cancel ended finished done deactivated dismissed archived",
)
"""Ends only as a whole: ``connection closed`` and ``recovery in progress`` report trouble."""

_WELL = _set(
    "ok okay up normal healthy operational good green online available reachable passing passed pass success",
    "successful succeeded nominal stable alive clear inactive",
)

_END = _ENDED | _ENDED_ALONE | _WELL

_TROUBLE = _set(
    "firing fired fire alerting triggered trigger problem down open opened created active activated started start new",
    "critical crit warning warn major minor error errors failed fail failing failure unhealthy degraded anomalous",
    "breached outage unreachable offline unavailable unresolved reopened reopen reopens raised detected investigating",
    "unknown disaster missed late",
)

_FILLERS = _set(
    "a an the is are was were has have been be being now all again back to fully completely status state event",
    "incident incidents alert alerts alarm alarms issue issues problem problems monitor monitors check checks host",
    "hosts service services server site website endpoint node system ticket case outage condition trigger rule",
    "detector violation notification update updated manually manual automatically automatic auto user test it its",
    "in on",
)

_OPPOSITES = _set(
    "not no never non un isn't wasn't hasn't cannot can't unable failed fails failure partially partly almost will",
    "should needs need must pending waiting requires trying attempt attempted before until if when",
)

_REASONS = _set("by via as after at with through from due because since for")
"""What follows one of these says how and when it ended, and who ended it."""


def status_meaning(status: str) -> Meaning | None:
    """Return what a status means; None if it is unknown."""
    words = _words(status)
    said = [word for word in _before_reason(words) if word not in _FILLERS]
    if _has_ended(words, said):
        return "resolved"
    return "firing" if any(word in _TROUBLE for word in said) else None


def is_neutral(status: str) -> bool:
    """Return whether a status only names what it is about, such as ``incident``."""
    return all(word in _FILLERS for word in _words(status))


def _words(status: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(status[:_MAX_CHARS])[:_MAX_WORDS]]


def _has_ended(words: list[str], said: list[str]) -> bool:
    if said and all(word in _END for word in said):
        return not _has_opposite(words, words.index(said[0]))
    ends = [at for at, word in enumerate(words) if word in _ENDED]
    if not ends or words[ends[-1]] not in said or _has_opposite(words, ends[-1]):
        return False
    return not any(word in _TROUBLE for word in said[said.index(words[ends[-1]]) :])


def _has_opposite(words: list[str], end: int) -> bool:
    before = words[:end]
    return any(word in _OPPOSITES for word in before) or before[-2:] == ["to", "be"]


def _before_reason(words: list[str]) -> list[str]:
    """Return the part before what says how it ended, if there is an end in it."""
    for at, word in enumerate(words):
        if word in _REASONS and any(before in _END for before in words[:at]):
            return words[:at]
    return words
