"""What the status of a sender means, if the settings do not list its values.

The word may be the name of an event (``incident.resolved``, ``MONITOR_UP``) or a phrase (``Manually resolved``,
``resolved by Jane``, ``back to normal``). Of a change (``OK -> ALARM``) the new state counts, and what was before does
not (``OK, was CRITICAL``). An unknown word does not end anything.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Meaning: TypeAlias = Literal["firing", "resolved"]

_WORD = re.compile(r"[a-z']+|[A-Z']+(?![a-z])|[A-Z][a-z']+|\d+|[^\W\d_]+")
_ARROW = re.compile(r"\s*(?:[-=]+>|[→⇒➔➜➡⟶»])\ufe0f?\s*")
_EARLIER = re.compile(
    r"[(\[,;:–-]\s*(?:was|were|previous|previously|formerly|earlier|last)\b.*", re.IGNORECASE | re.DOTALL
)
_MARK = re.compile(r"\W*(?P<mark>[^\W\d_]+(?:[ -][^\W\d_]+)?)(?:\]|:(?=\s)|\s*\(|\s[|–-]\s)")
"""The state before a text, such as ``[RESOLVED] High load`` and ``Resolved: high load``."""

_NOISE = re.compile(r"(?<![a-z0-9])(?:v\d+|no[\s_-]?data|new (?:state|status))(?![a-z0-9])", re.IGNORECASE)
"""The version of an event, missing data, which has ended in ``No Data Recovered``, and a name before a state."""

_MAX_WORDS = 30
_MAX_CHARS = 500


def _set(*lines: str) -> frozenset[str]:
    return frozenset(word for line in lines for word in line.split())


_ENDED = _set("resolved recovered cleared fixed solved remediated normalized normalised")
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

_BEGUN = _set("reopened reopen firing fired triggered unresolved")
"""An alert fires of which this is said, also after an end."""

_STARTS = _BEGUN | _set("created opened raised detected activated")

_AGAIN = _set("retriggered refired reraised")

_OVER = _ENDED | {"closed"}

_DURATIONS = _set("ms s sec secs second seconds m min mins minute minutes h hr hrs hour hours d day days")

_CHANGES = _set(
    "from change changed changes transition transitioned transitions went moved switched turned set returned"
)

_NOT_STATES = _set("failed fails fail failing failure start started new clear pass")
"""Before or after "to", as in ``failed to clear``, these name no change between states."""

_STATES = _ENDED | _WELL | _TROUBLE | _set("closed alarm alarming high low red amber yellow")

_FILLERS = _set(
    "a an the is are was were has have been be being now all again back to fully completely status state event",
    "incident incidents alert alerts alarm alarms issue issues problem problems monitor monitors check checks host",
    "hosts service services server site website endpoint node system ticket case outage condition trigger rule",
    "detector violation notification update updated manually manual automatically automatic auto user test it its",
    "in on",
)

_OPPOSITES = _set(
    "not no never non un isn't wasn't hasn't cannot can't unable failed fails failure partially partly almost will",
    "should needs need must pending waiting requires trying attempt attempted before until if when soon",
)

_REASONS = _set("by via as after at with through from due because since for")
"""What follows one of these says how and when it ended, and who ended it."""


def status_meaning(status: str) -> Meaning | None:
    """Return what a status means; None if it is unknown."""
    text = _NOISE.sub("", status[:_MAX_CHARS])
    *before, text = [part for part in _ARROW.split(text) if part.strip()] or [""]
    text = _EARLIER.sub("", text) or text
    words, previous = _words(text), _words(" ".join(before))
    if at := _change(words):
        previous, words = previous + words[:at], words[at + 1 :]
    if _is_marked_as_ended(text):
        return "resolved"
    if meaning := _meaning(words):
        return meaning
    return "firing" if _meaning([word for word in previous if word not in _CHANGES]) == "resolved" else None


def begins(status: str) -> bool:
    """Return whether a status says that an alert has begun, such as ``alert.triggered``."""
    return status_meaning(status) == "firing" and not _STARTS.isdisjoint(_words(status))


def is_health(status: str) -> bool:
    """Return whether a status says that something is well, such as ``success``, and not that something has ended."""
    return status_meaning(status) == "resolved" and (_ENDED | _ENDED_ALONE).isdisjoint(_words(status))


def _meaning(words: list[str]) -> Meaning | None:
    said = [word for word in _before_reason(words) if word not in _FILLERS]
    if said[:2] == ["no", "longer"] and said[2:] and all(word in _TROUBLE for word in said[2:]):
        return "resolved"
    if _has_ended(words, said):
        return "resolved"
    return "firing" if any(word in _TROUBLE for word in said) else None


def _is_marked_as_ended(text: str) -> bool:
    mark = _MARK.match(text)
    if mark is None or _meaning(words := _words(mark["mark"])) != "resolved":
        return False
    if words[-1] not in _OVER and not text[: mark.end()].endswith("]"):
        return False
    rest = _words(text[mark.end() :])
    if rest in (["false"], ["no"], ["0"]) or rest[:1] in (["failed"], ["pending"], ["partially"]):
        return False
    return _BEGUN.isdisjoint(rest)


def _change(words: list[str]) -> int:
    """Return the position of the "to" between two states, such as ``from down to up``; 0 if a text has none."""
    for at, word in enumerate(words):
        if word != "to" or at == 0 or at + 1 == len(words) or words[at + 1] == "be":
            continue
        before, after = words[at - 1], words[at + 1]
        if "from" in words[:at] or before in _CHANGES:
            return at
        if before in _STATES and before not in _NOT_STATES and after in _STATES and after not in _NOT_STATES:
            return at
    return 0


def is_neutral(status: str) -> bool:
    """Return whether a status only names what it is about, such as ``incident``."""
    return all(word in _FILLERS for word in _words(status))


def _words(status: str) -> list[str]:
    return [_without_prefix(word.lower()) for word in _WORD.findall(status[:_MAX_CHARS])[:_MAX_WORDS]]


def _without_prefix(word: str) -> str:
    """Return ``resolved`` for ``autoresolved``, and ``triggered`` for ``retriggered``."""
    if word.startswith("auto") and word[4:] in _END:
        return word[4:]
    return word[2:] if word in _AGAIN else word


def _has_ended(words: list[str], said: list[str]) -> bool:
    if said and all(word in _END for word in said):
        return not _has_opposite(words, words.index(said[0]))
    ends = [at for at, word in enumerate(words) if word in _ENDED]
    if not ends or said[-1:] != [words[ends[-1]]]:
        return False
    return not _has_opposite(words, ends[-1]) and not _is_past(words[: ends[-1]])


def _has_opposite(words: list[str], end: int) -> bool:
    before = words[:end]
    if any(word in _OPPOSITES or word.endswith("n't") for word in before) or before[-2:] == ["to", "be"]:
        return True
    return before[-1:] in (["was"], ["were"]) and words[end] in _WELL


def _is_past(before: list[str]) -> bool:
    """Return whether an end after this text came earlier: ``triggered after being resolved``."""
    return before[-2:] in (["after", "being"], ["after", "was"]) or before[-1:] in (["after"], ["previously"])


def _before_reason(words: list[str]) -> list[str]:
    """Return the part before what says how and when it ended, if there is an end in it."""
    for at, word in enumerate(words):
        if any(before in _END for before in words[:at]) and _is_reason(word, words[at + 1 :], words[:at]):
            return words[:at]
    return words


def _is_reason(word: str, after: list[str], before: list[str]) -> bool:
    """Return whether a text then says how it ended, and not what is left: ``completed with errors``."""
    if word == "with":
        return not after or after[0] not in _TROUBLE | {"issues", "warnings", "problems"}
    if word == "in":
        return before[-1] in _OVER and len(after) > 1 and after[0].isdigit() and after[1] in _DURATIONS
    return word in _REASONS
