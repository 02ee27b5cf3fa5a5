"""A report as clauses, each a statement or advice (pure).

Advice, plans, conditions and questions state nothing about the past, so they are not checked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from watchkeeper.incident.vocabulary import advice_words

LONGEST_SENTENCE = 800
"""Characters after which a sentence is cut: the time of some checks grows with its square."""


_TO_DO = "to do"
"""The section of a line with an empty check box."""


def plain(text: str) -> str:
    """Replace typographic characters by ASCII ones. Every offset stays the same."""
    return text.translate(advice_words.SAME_LENGTH)


def blank(text: str, pattern: re.Pattern[str]) -> str:
    """Replace what a pattern finds by spaces. Every offset stays the same."""
    return pattern.sub(lambda found: " " * len(found[0]), text)


@dataclass(frozen=True)
class Clause:
    """A part of a sentence."""

    start: int
    end: int
    """Offsets in ``ReportText.plain``."""
    text: str
    """Without Markdown."""
    advice: bool
    before: str = ""
    """The sentence up to this clause."""
    hedged: bool = False
    """The sentence up to this clause has advice, a plan, a condition or a doubt in it."""
    joined: str = ""
    """The sign or word between the clause before and this one."""
    question: bool = False
    label: str = ""
    """What the line or the section begins with, such as ``next step``; in lower case."""
    section: str = ""
    """The heading, in lower case."""


@dataclass(frozen=True)
class ReportText:
    """A report, prepared for the checks."""

    plain: str
    """Without typographic characters and Markdown. Commands in code are blank: they state nothing."""
    clauses: list[Clause]
    code: list[tuple[int, int]] = field(default_factory=list)
    """Insides of code spans."""
    offsets: list[int] = field(default_factory=list)
    """The offset in the report of each character of ``plain``, and of its end."""

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Return the offsets in the report of a part of ``plain``."""
        return self.offsets[start], self.offsets[end - 1] + 1 if end > start else self.offsets[start]


def has_verb(text: str) -> bool:
    """Tell whether a clause has its own verb."""
    return bool(advice_words.FINITE.search(text))


def is_hedged(text: str) -> bool:
    """Tell whether a text expresses advice, a plan, a condition or doubt."""
    return bool(advice_words.MARKER.search(text))


def is_imperative(text: str, *, ambiguous: bool = True) -> bool:
    """Tell whether a clause begins with a command, such as Roll back, and not with a noun, such as Deploy v2 broke.

    ``ambiguous``: deploy and similar verbs may be commands here.
    """
    first = advice_words.FIRST_WORDS.match(text)
    if not first:
        return False
    word = first[1].lower()
    if word == "have" and advice_words.PERFECT.match(text, first.end()):
        return False
    if word in advice_words.UNAMBIGUOUS:
        return not advice_words.SUBJECT_AFTER.match(text[first.end() :])
    return ambiguous and word in advice_words.AMBIGUOUS and not advice_words.FINITE.search(text, first.end())


def report_text(raw: str) -> ReportText:
    """Prepare a report: take out Markdown and split it into clauses."""
    text = plain(raw)
    commands: list[tuple[int, int]] = []
    code: list[tuple[int, int]] = []
    for fence in advice_words.FENCE.finditer(text):
        lines = fence[3]
        if (
            fence[2].lower() in advice_words.COMMAND_LANGUAGES
            or advice_words.COMMAND.match(lines)
            or advice_words.QUERY.search(lines)
        ):
            commands.append(fence.span())
    for span in advice_words.SPAN.finditer(text):
        inside = span.span(2)
        (
            commands
            if (advice_words.COMMAND.match(span[2] + " ") and " " in span[2].strip())
            or advice_words.QUERY.search(span[2])
            else code
        ).append(inside)
    bold_lines = {
        match.start() for match in re.finditer(r"^.*$", text, re.MULTILINE) if advice_words.BOLD_LINE.match(match[0])
    }
    text = blank(_without(text, commands), advice_words.ADDRESS)
    text = advice_words.BREAK.sub(lambda found: ";".ljust(len(found[0])), text)
    text, offsets = _compact(text)
    places = _Places(offsets)
    code = [(places.new(start), places.new(end)) for start, end in code]
    bold_lines = {places.new(start) for start in bold_lines}
    return ReportText(text, list(_clauses(text, _quiet(text, code), bold_lines)), code, offsets)


def _compact(text: str) -> tuple[str, list[int]]:
    """Take out the marks of Markdown; return the text, and the offset in the report of each of its characters."""
    pieces: list[str] = []
    offsets: list[int] = []
    at = 0
    for found in advice_words.MARKS.finditer(text):
        pieces.append(text[at : found.start()])
        offsets += range(at, found.start())
        if found[0].startswith("&"):
            pieces.append(" ")
            offsets.append(found.start())
        at = found.end()
    pieces.append(text[at:])
    offsets += range(at, len(text) + 1)
    return "".join(pieces), offsets


class _Places:
    """Where the characters of the report are in the compact text."""

    def __init__(self, offsets: list[int]) -> None:
        self._offsets = offsets

    def new(self, at: int) -> int:
        """Return the offset in the compact text of an offset in the report."""
        return bisect_left(self._offsets, at)


def _quiet(text: str, code: list[tuple[int, int]]) -> str:
    """Replace the insides of code spans, so that their commas end no clause."""
    pieces, at = [], 0
    for start, end in code:
        if start >= at:
            pieces += [text[at:start], "x" * (end - start)]
            at = end
    return "".join([*pieces, text[at:]])


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    """Replace parts of a text by spaces. Line breaks and every offset stay the same."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            start = max(start, at)
            pieces += [text[at:start], re.sub(r"[^\n]", " ", text[start:end])]
            at = end
    return "".join([*pieces, text[at:]])


def _clauses(text: str, quiet: str, bold_lines: set[int]) -> Iterator[Clause]:
    section, position = "", 0
    for line in text.split("\n"):
        start, position = position, position + len(line) + 1
        if not line.strip():
            continue
        body = advice_words.LINE_START.match(line)
        first = body.end() if body else 0
        bare = line[first:].strip()
        if "#" in line[:first] or start in bold_lines or (bare.endswith(":") and len(bare) < 60):
            section = bare.rstrip(": ").lower()
        under = _TO_DO if advice_words.UNCHECKED.match(line) else section
        yield from _line_clauses(text, quiet, start + first, start + len(line), under)


def _line_clauses(text: str, quiet: str, start: int, end: int, section: str) -> Iterator[Clause]:
    label = section
    while start < end:
        stop = advice_words.SENTENCE_END.search(quiet, start, end)
        after = min(stop.end() if stop else end, start + LONGEST_SENTENCE)
        named = advice_words.LABEL.match(text, start + len(text[start:after]) - len(text[start:after].lstrip()), after)
        if named:
            label = named[0].lower()
        question = text[start:after].rstrip().endswith(("?", "\uff1f"))
        yield from _sentence_clauses(text, quiet, start, after, label, question, section)
        start = after


def _sentence_clauses(
    text: str, quiet: str, start: int, end: int, label: str, question: bool, section: str
) -> Iterator[Clause]:
    quiet = advice_words.QUOTATION.sub(lambda found: "x" * len(found[0]), quiet[start:end])
    by_label = bool(advice_words.ADVICE_LABEL.search(label) or advice_words.ADVICE_SECTION.search(section))
    conditional = bool(advice_words.CONDITIONAL.match(quiet))
    foreign = not text[start:end].isascii() and bool(re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text[start:end]))
    advice = by_label or question or (foreign and bool(advice_words.MARKER.search(text, start, end)))
    base, joined, at, hedged = advice, "", start, False
    for stop in [*advice_words.CLAUSE_END.finditer(quiet), None]:
        until = start + stop.start() if stop else end
        clause = text[at:until]
        word = clause.split(maxsplit=1)[0].lower() if clause.strip() else ""
        link = word if joined.isspace() else joined.strip()
        if link in advice_words.RESETS:
            advice = base and link in (";", "\u2014")
        if word == "as" and link == ",":
            advice = False
        marked = is_hedged(advice_words.RELATIVE.sub("", quiet[at - start : until - start]))
        named = stop is not None and stop[0] == ":" and clause.strip().lower() == label
        fact = (named or joined.strip() == ":") and bool(
            advice_words.FACT_LABEL.search(label) or advice_words.NOUN_LABEL.match(label)
        )
        fact = fact or bool(advice_words.FACT_SECTION.match(section))
        if marked or (
            link not in advice_words.RESETS - {";", "\u2014"}
            and not (fact and named)
            and is_imperative(clause, ambiguous=not fact)
        ):
            advice = True
        elif (
            advice
            and not base
            and link in (",", "but", "so", "while", "which", "and", ":")
            and (advice_words.PAST if conditional else advice_words.INDICATIVE).search(clause)
        ):
            advice = link == "and" and bool(
                re.search(r"\b(?:if|unless|that|whether|until|once)\b", text[start:at], re.IGNORECASE)
            )
        aside = joined == "(" and bool(advice_words.STATED_ASIDE.search(clause))
        if clause.strip():
            yield Clause(
                at, until, clause, advice and not aside, text[start:at], hedged, link, question, label, section
            )
        hedged = hedged or marked
        if stop:
            at, joined = start + stop.end(), stop[0]
