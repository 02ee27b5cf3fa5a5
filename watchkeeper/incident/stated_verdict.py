"""The verdict of a report: stated after a label, or read from the form that reports usually have (pure)."""

from __future__ import annotations

import re
import unicodedata
from typing import cast, get_args

from watchkeeper.contracts import Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_ANY = "|".join(VERDICTS)
_MARK = r"(?:[^\w\n]|_)"
_LEAD = (
    rf"{_MARK}{{0,40}}(?:(?:\d{{1,2}}|h\d|x|b|strong|textbf|the|my|our|this|final|overall"
    rf"|so|therefore|in short|status|alert|incident|investigation|conclusion|summary)\b"
    rf"{_MARK}{{1,20}}){{0,4}}"
)
_OF = r"(?:[ \t]{0,3}(?:#?\d{1,2}\b|\([^()\n]{0,60}\)|(?:for|of|on|about|and|&|/)(?![^\W_])[^\n:：=|]{1,60}(?=[:：])))?"
"""What a verdict is about, between the word and the colon."""

_SEPARATOR = r"(?:[:：∶꞉=~–—‐‑‒―−→⇒⟶➔➜➡►▶»·•>|\"'\]-]|(?:\bis|</\w+>))"
_SUBJECT = (
    r"(?:(?:either|both)\s|(?!(?:if|whether|no\w*|neither|unless|until|when|once|maybe)\b)"
    r"(?:(?:the )?[\w-]{1,40}(?: [\w-]{1,40})? (?:is|has|was) (?:now |fully |already )?"
    r"|(?:the )?(?:service|status|state|alert|incident) ))?"
)
_MARKS = r"(?:[^\w\n,;.?!]|_){0,40}"
_STATED = re.compile(
    rf"(?:^|(?<=[.!?;:])[ \t]){_LEAD}verdict(?![^\W_]){_OF}(?:{_MARKS}{_SEPARATOR}"
    rf"{_MARKS}(?:strong>|b>)?{_MARKS}|{_MARK}{{0,40}}\n[\W_]{{0,200}}|[ \t]{{1,3}}(?=(?:{_ANY})[\W_]{{0,9}}$))"
    rf"{_SUBJECT}(?P<verdict>{_ANY})(?![^\W_])(?P<rest>.*)$"
    rf"|^[ \t]*\|{_MARKS}verdict(?![^\W_]){_MARK}{{0,9}}\|.*\n[ \t]*\|[-:| \t]+\n[ \t]*\|{_MARKS}(?P<cell>{_ANY})\b"
    rf"|[\"']verdict[\"'][ \t]*[:=][ \t]*[\"'](?P<member>{_ANY})[\"']",
    re.IGNORECASE | re.MULTILINE,
)
_ANOTHER = re.compile(
    rf"[\s*_`\"'”)]{{0,9}}(?:/|\||,|\?|\+|→|->|=>|or\b|and\b|&|no\b|but\b)[\W_]{{0,9}}(?:(?:no|rather|then|now)\b\W{{0,3}})*"
    rf"(?P<verdict>{_ANY})\b",
    re.IGNORECASE,
)
_DENIED = re.compile(r"[\s*_`\"'”]{0,9}(?:\?|(?:is|was|can|could|would|does)(?:n't|n’t| not)\b)", re.IGNORECASE)

_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff]")
_OPENING_TAG, _CLOSING_TAG = re.compile(r"<\w[^<>\n]{0,200}>"), re.compile(r"</\w{1,20}\s?>")
_ROW, _RULE = re.compile(r"^[ \t]*\|(.*)$"), re.compile(r"^[ \t]*\|[-:| \t]+$")
_FORMATTING = re.compile(r"[*_`#>|]|</?\w+>")
_CLAUSE_END = re.compile(r"(?<=[.!?;,])\s+|\n|\b(?:and|but|so|because|although|however|which)\b")
_DOUBT = re.compile(
    r"\b(?:not|no longer|never|neither|nor|hardly|barely|partially|partly|might|may|could|would|should|will|probably|"
    r"possibly|per[h]aps|if|once|when|until|unless|whether|expect|hope|wait|before|cannot|can't|unsure|uncertain)\b"
    r"|n['’]t\b|\b(?:un|non)-?\Z"
)
_CAUSE_UNKNOWN = re.compile(
    r"\bcauses?\b[^.\n]{0,40}\b(?:unknown|unclear|undetermined|inconclusive|to be (?:determined|found|confirmed)"
    r"|under investigation|not (?:yet )?(?:known|found|clear|identified|determined|established))\b"
    r"|\bcauses?[^\w\n]{0,4}[:：][^\w\n?]{0,6}(?:tbd|n/a|\?|none(?: found| identified)?|pending(?: \w+)?"
    r"|(?:still )?investigating)"
    r"(?=[^\w\n]{0,6}(?:\n|\Z))"
    r"|\b(?:could|can|did|was|were)(?: not|n't|n’t|not) (?:be )?(?:able to )?"
    r"(?:find|found|determined?|identify|identified|establish|established|tell|explain)\b[^.\n]{0,60}\b(?:cause|why|reason)\b"
    r"|\bno (?:root |clear )?cause (?:was |is |has been |could be )?(?:found|known|identified|established)\b"
    r"|\bno root cause\b"
)
_RECOVERED = re.compile(
    r"\b(?:has|have|is|are|was|were|already|fully|status:)\s+(?:now |since |fully |already |been )*"
    r"(?:recovered|resolved|back to normal|over(?=\s*(?:[.,;!)]|\Z|now\b|since\b)))\b"
)
_CAUSE = re.compile(
    r"^[^\w\n]{0,40}(?:root |likely |probable |suspected |most |very ){0,4}causes?[^\w\n]{0,20}[:：][-•\s]{0,40}"
    r"(?!(?:status|impact|evidence|next)\b)\w"
    r"|\broot cause (?:is|was)\b|\bcaused by\b|\bbecause of\b|\bdue to\b|\btraced to\b|\btriggered by\b"
    r"|\bstems? from\b|\bintroduced (?:by|in)\b|\bis the culprit\b|\bbroke (?:it|checkout|the)\b",
    re.MULTILINE,
)
_HEALTHY = re.compile(
    r"(?<!un)(?<!un-)(?<!non-)\bhealthy\b(?!\s*[:=]\s*(?:false\b|no\b(?! \w)|0\b))|\boperating normally\b"
    r"|\bno (?:active )?(?:issues?|problems?|anomal\w+)\b|\bnothing is wrong\b"
    r"|\bwithin (?:its )?normal\b|\bfalse (?:alarm|positive)\b"
)
_UNKNOWN = re.compile(
    r"\bunknown\b|\binconclusive\b|\bcould(?: not|n't|n’t) (?:find out|determine|tell)\b|\b(?:unclear|unsure) whether\b"
)


def read_verdicts(report: str) -> list[Verdict]:
    """Return the verdicts of a report: the ones it states after a label, else the one that its text implies.

    ``Verdict: healthy or unknown`` states both. ``Verdict: not healthy`` states none.
    """
    report = _INVISIBLE.sub("", unicodedata.normalize("NFKC", report))
    for form in (report, _CLOSING_TAG.sub(": ", _OPENING_TAG.sub(" ", report))):
        if found := list(_STATED.finditer(form)):
            return [*dict.fromkeys(verdict for line in found for verdict in _stated(line))]
    if in_table := _in_column(report):
        return in_table
    implied = _implied(_FORMATTING.sub("", report).lower())
    return [implied] if implied else []


def _in_column(report: str) -> list[Verdict]:
    """Return the verdicts in the column of a table that is headed so."""
    verdicts: list[Verdict] = []
    column: int | None = None
    lines = report.split("\n")
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        cells = [re.sub(r"[\W_]+", " ", cell).strip().lower() for cell in line.strip().strip("|").split("|")]
        if not _ROW.match(line):
            column = None
        elif _RULE.match(following):
            column = next((place for place, cell in enumerate(cells) if cell.endswith("verdict")), None)
        elif column is not None and column < len(cells) and cells[column] in VERDICTS:
            verdicts.append(cast(Verdict, cells[column]))
    return [*dict.fromkeys(verdicts)]


def without_verdict_line(report: str) -> str:
    """Return a report without the lines that hold its verdict and nothing else."""
    return _STATED.sub(lambda found: "" if _is_bare(found) else found[0], report)


def _is_bare(found: re.Match[str]) -> bool:
    return found["rest"] is not None and not any(map(str.isalnum, found["rest"]))


def _stated(found: re.Match[str]) -> list[Verdict]:
    first, rest = found["verdict"] or found["cell"] or found["member"], found["rest"] or ""
    verdicts, position = [first], 0
    while another := _ANOTHER.match(rest, position):
        verdicts.append(another["verdict"])
        position = another.end()
    if len(verdicts) == 1 and _DENIED.match(rest):
        return []
    return [cast(Verdict, verdict.lower()) for verdict in verdicts]


def _implied(text: str) -> Verdict | None:
    if _is_said(_RECOVERED, text):
        return "recovered"
    if _CAUSE_UNKNOWN.search(text):
        return "unknown"
    if _is_said(_CAUSE, text):
        return "diagnosed"
    if _UNKNOWN.search(text) and not _is_said(_HEALTHY, text):
        return "unknown"
    return "healthy" if _is_said(_HEALTHY, text) else None


def _is_said(pattern: re.Pattern[str], text: str) -> bool:
    """Return whether a clause has a pattern, is no question, and has no negation or condition before it."""
    return any(_is_certain(text, found) for found in pattern.finditer(text))


def _is_certain(text: str, found: re.Match[str]) -> bool:
    line_start = text.rfind("\n", 0, found.start()) + 1
    before = _CLAUSE_END.split(text[max(line_start, found.start() - 200) : found.start()])[-1]
    end = re.search(r"[.!?;\n]", text[found.end() : found.end() + 100])
    return not _DOUBT.search(before) and not _DOUBT.search(found[0]) and (end is None or end[0] != "?")
