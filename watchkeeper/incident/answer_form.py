"""Answers that report nothing: they ask the reader for data, or only announce work (pure)."""

from __future__ import annotations

import re

SUBSTANCE_WORDS = 6
"""An answer that is shorter than this, not counting its requests and announcements, reports nothing."""

_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|^\s*>.*$", re.DOTALL | re.MULTILINE)
_MARKS = re.compile(r"[*_#|]")
_SENTENCE_END = re.compile(r"(?<=[.!?…:])\s+|\n+")
_BULLET = re.compile(r"^\s*(?:[-+•]|\d+[.)])\s+")

_LEAD = r"(?:(?:ok(?:ay)?|sure|alright|right|now|next|first|then|so|and|also|understood|got it|great)[,.!]?\s+)*"
_WORK = (
    r"(?:check|look|investigat|quer|fetch|get|pull|inspect|search|examine|examining|review|retrieve|retrieving|gather|"
    r"run|call|see|verif|dig|analy[sz]|start|begin|proceed|collect|read|find|page|determine|determining|diagnos|trac|test|list|drill)\w*"
)
_ANNOUNCES = re.compile(
    rf"{_LEAD}(?:"
    rf"(?:(?:i|we)(?:'ll|’ll| will|'m going to|’m going to| am going to| are going to)"
    rf"|i (?:need to|should|want to|must|have to))"
    rf"\s+(?:now |first |next |then |also |just |quickly |have to |need to |try to |go |take a )*{_WORK}"
    rf"|let(?:'s|’s| us| me)\s+(?!know)(?:now |first |next |then |also |just |quickly |try to |go |take a )*{_WORK}"
    rf"|(?:i am|i'm|i’m|we are|we're)\s+(?:now |currently |still )*{_WORK}"
    rf"|(?:now |next |first |currently )*(?:checking|looking|fetching|querying|investigating|pulling|searching|"
    rf"gathering|retrieving|inspecting)\b[^.,;\d]{{0,60}}(?:\.{{2,3}}|…|now\.?|first\.?)$)",
    re.IGNORECASE,
)
_ASKS = re.compile(
    rf"{_LEAD}(?:"
    r"(?:could|can|would|will) (?:you|someone|anyone)\b"
    r"|please\s+(?:also |kindly )?(?:provide|share|send|give|tell|paste|specify|clarify|confirm|supply|upload|attach|"
    r"let me know|describe|answer|grant)\b"
    r"|(?:i|we)(?:'d|’d| would)?\s+(?:need|require|like)\s+(?:some |more |additional |further |the |your |access|a )"
    r"|(?:i|we)\s+(?:do not|don't|don’t|cannot|can't|can’t) (?:have|access|see)\b.*\b(?:provide|share|access|tools?)\b"
    r"|(?:which|what|where|when|who|do|does|is|are|should|shall|would)\b[^.\n]*\?$"
    r"|let me know\b|tell me\b|to (?:help|proceed|continue|assist)[^.\n]*\b(?:need|provide|share)\b)",
    re.IGNORECASE,
)
_FILLER = re.compile(
    r"(?:ok(?:ay)?|sure|alright|understood|thanks?(?: you)?|hello|hi|of course|certainly|one moment|please wait|"
    r"please hold on|hold on|i(?:'m|’m| am) sorry|sorry|i apologi[sz]e|my apologies|"
    r"you(?:'re|’re| are) right|i understand|noted|no problem|got it)\b[^.!?\n]{0,40}[.!?…:]*",
    re.IGNORECASE,
)


def says_nothing(answer: str) -> bool:
    """Return whether an answer holds only courtesies."""
    return not _kinds(answer)


def asks_reader(answer: str) -> bool:
    """Return whether an answer consists of requests to its reader."""
    kinds = _kinds(answer)
    return "asks" in kinds and not _has_substance(answer)


def announces_work(answer: str) -> bool:
    """Return whether an answer consists of announcements."""
    return "announces" in _kinds(answer) and not _has_substance(answer)


def ends_with_announcement(answer: str) -> bool:
    """Return whether the last sentence of an answer announces work."""
    return _kinds(answer)[-1:] == ["announces"]


def _kinds(answer: str) -> list[str]:
    return [kind for sentence in _sentences(answer) if (kind := _kind(sentence)) != "filler"]


def _kind(sentence: str) -> str:
    if _ANNOUNCES.match(sentence):
        return "announces"
    if _ASKS.match(sentence):
        return "asks"
    return "filler" if _FILLER.fullmatch(sentence) else "states"


def _has_substance(answer: str) -> bool:
    stated = [sentence for sentence in _sentences(answer) if _kind(sentence) == "states"]
    return sum(len(sentence.split()) for sentence in stated) >= SUBSTANCE_WORDS


def _sentences(answer: str) -> list[str]:
    plain = _MARKS.sub("", _QUOTED.sub(" … ", answer))
    pieces = (_BULLET.sub("", piece).strip() for piece in _SENTENCE_END.split(plain))
    return [piece for piece in pieces if any(map(str.isalnum, piece))]
