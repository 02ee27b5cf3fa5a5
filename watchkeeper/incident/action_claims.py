"""The check of statements about actions: each must agree with a call of the run, or be reported in a result (pure)."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Literal, TypeAlias

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.foreign_actions import foreign_actions
from watchkeeper.incident.paged_teams import PagedTeams
from watchkeeper.incident.report_clauses import Clause, is_hedged, is_imperative
from watchkeeper.incident.vocabulary import action_phrases, change_words
from watchkeeper.incident.vocabulary.action_words import ACTIONS, CONTACT, OPENED, Action

Voice: TypeAlias = Literal["ours", "reported"]
"""``ours``: only a call supports it. ``reported``: a result or a message that says so supports it, too."""

_GENERIC = ACTIONS[-1]
_RARELY_OURS = {action for action in ACTIONS if re.search("killed|disabled|deployed|switched|scaled", action.done)} | {
    _GENERIC
}

_MESSAGE = f"{CONTACT.call}|post|send|comment|report"
"""Tools that only say something."""

_LAST_PART = re.compile(r"[^.;|(\n]*$")
_NEAR = 200
"""Characters before a verb in which its subject is looked for."""


def check_actions(check: Check) -> None:
    """Flag actions that no call has done and no result reports, and pages to another team or with another number."""
    checker = _Actions(check)
    for clause in check.report.clauses:
        text = check.report.plain
        seen: list[tuple[int, int]] = []
        for pattern in (action_phrases.NOUN_DONE, action_phrases.DID_NOUN, action_phrases.DONE):
            for found in pattern.finditer(text, clause.start, clause.end):
                if any(start < found.end() and found.start() < end for start, end in seen):
                    continue
                seen.append(found.span())
                action = ACTIONS[
                    int(next(name for name, part in found.groupdict().items() if part and name != "did")[1:])
                ]
                checker.check(action, found, clause, noun=pattern is not action_phrases.DONE)
        changes = list(change_words.PASSIVE.finditer(text, clause.start, clause.end))
        short = change_words.SHORT.fullmatch(text, clause.start, clause.end)
        for found in [*changes, *([short] if short else [])]:
            if not any(part.start < found.end() and found.start() < part.end for part in check.found):
                checker.check_change(found, clause)
    for verb, found, ours in foreign_actions(check):
        checker.check_foreign(verb, found, ours)


class _Actions:
    """The actions of a run, for look-ups."""

    def __init__(self, check: Check) -> None:
        self._check = check
        records = check.records
        self._acts = [
            f"{call.name} {call.arguments}".lower()
            for call in records.calls
            if call.status == "ok" and not self._is_read(call.name)
            if call.name not in records.pages and not call.page
        ]
        self._teams = PagedTeams(records)
        self._services = frozenset(service.lower() for service in records.services)

    def _is_read(self, name: str) -> bool:
        effect = self._check.records.tools.get(name)
        return effect == "read" if effect else bool(action_phrases.READ_NAME.match(name))

    def check(self, action: Action, found: re.Match[str], clause: Clause, *, noun: bool) -> None:
        """Flag one statement if nothing supports it."""
        lead = found.string[clause.start : found.start()]
        # "Rollback complete" is no command, although it begins like one.
        stated = noun and not lead.strip() and found.start("did") > found.start()
        if self._is_no_statement(found, clause, lead, stated=stated):
            return
        subject = action_phrases.SUBJECT.search(lead)
        if (
            subject
            and subject[1].lower() in self._check.evidence.authors
            and (noun or not action_phrases.BE.search(lead))
        ):
            return  # What a person says to have done may have another name in a result.
        voice = _noun_voice(found, lead, action) if noun else _voice(action, found, clause, lead, self._services)
        if voice is None:
            return
        number = (
            action_phrases.INCIDENT.search(found.string, found.end(), self._check.sentence_end(clause))
            if action is OPENED
            else None
        )
        if number and not self._is_supported(action, found, voice):
            self._check.flag(*number.span(), "incident", "no page and no call has opened it")
        elif not self._is_supported(action, found, voice):
            done = "no person was paged or informed" if action.contact else "no call did this"
            self._check.flag(*found.span(), "action", f"{done}, and no result reports it")
        elif action in (CONTACT, OPENED) and self._teams.any:
            self._check_page(found, clause, lead)

    def _is_no_statement(self, found: re.Match[str], clause: Clause, lead: str, *, stated: bool = False) -> bool:
        listed = clause.joined in (",", "and") and action_phrases.ONLY_ADVERBS.match(lead)
        scope = clause.before[-_NEAR:] + " " + lead if listed or clause.joined == "(" else lead
        if action_phrases.NEGATION.search(scope + found[0]) or action_phrases.NEGATED_AFTER.match(
            found.string, found.end()
        ):
            return True
        if action_phrases.NEGATIVE_SUBJECT.match(clause.before + lead):
            return True
        if clause.hedged or is_hedged(lead):
            return True
        return clause.advice and (clause.question or (is_imperative(clause.text) and not stated))

    def _is_supported(self, action: Action, found: re.Match[str], voice: Voice) -> bool:
        if action is OPENED and self._teams.any:
            return True
        before = _LAST_PART.search(found.string, max(0, found.start() - 60), found.start())
        around = (before[0] if before else "") + found.string[found.start() : found.end() + 40]
        if action.contact:
            told = any(re.search(action.call, act.split()[0]) for act in self._acts)
            page = self._teams.any and not self._is_unreached(around.partition("\n")[0], before)
            called = page or (told and not action_phrases.WOKEN.match(found[0]))
        elif action is _GENERIC and not change_words.SOLVED.match(found[0]):
            clause = self._check.clause(found.start())
            called = self.has_changed(found[0], clause.text if clause else around)
        elif action.done.startswith("deployed") and before and action_phrases.FIX.search(before[0]):
            return any("fix" in act or "patch" in act for act in self._acts) or (
                voice == "reported" and self._check.evidence.reports(change_words.FIX_READ)
            )
        else:
            called = any(re.search(action.call, act) for act in self._acts if not re.search(_MESSAGE, act.split()[0]))
        if called or voice == "ours":
            return called
        by_itself = action_phrases.COUNTED.match(found.string, found.end()) or action_phrases.OFTEN.match(
            found.string, found.end()
        )
        by_itself = by_itself or action_phrases.MACHINE.search(found.string, max(0, found.start() - 60), found.start())
        on_purpose = action.strict and not by_itself
        return self._check.evidence.reports(action.strict if on_purpose else action.evidence)

    def _is_unreached(self, around: str, before: re.Match[str] | None) -> bool:
        """Tell whether it concerns people that a page to a team does not reach."""
        if action_phrases.NOT_PAGED.search(around):
            return True
        subject = action_phrases.INFORMED.search(before[0]) if before else None
        name = subject[1].lower() if subject else ""
        return name in self._check.evidence.persons and name not in self._teams.names

    def has_changed(self, verb: str, about: str) -> bool:
        """Tell whether a call has done what a verb says, or something with one of the things that are named."""
        stem = change_words.ENDING.sub("", verb.lower().split()[0])
        words = {word for word in re.findall(r"[a-z_]{4,}", about.lower()) if word not in self._services}
        words = {word.rstrip("s") for word in words} | {stem}
        words -= {"state", "name", "service", "value", "with", "from", "that", "this", "have", "been", "were", "also"}
        return any(any(word in act for word in words) for act in self._acts)

    def check_change(self, found: re.Match[str], clause: Clause) -> None:
        """Flag a passive statement about a change that no call has made and that no result reports."""
        lead = found.string[clause.start : found.start("thing")]
        if self._is_no_statement(found, clause, lead) or change_words.PLANNED_LABEL.search(clause.label):
            return
        if change_words.BY_OTHERS.match(found.string, found.end()) or change_words.FROM_TO.match(
            found.string, found.end()
        ):
            return
        if self.has_changed(found["verb"], found[0]):
            return
        if self._acts and change_words.APPLIED.fullmatch(found["verb"]) and action_phrases.FIX.search(found["thing"]):
            return
        stem = change_words.ENDING.sub("", found["verb"].lower().split()[0])
        fix = bool(action_phrases.FIX.search(found["thing"]))
        is_new = fix or ("be" in found.re.groupindex and change_words.NEW.search(lead))
        if not (
            self._check.evidence.reports(change_words.FIX_READ)
            if fix
            else not is_new and self._check.evidence.reports(_together(stem, found["thing"].lower()))
        ):
            self._check.flag(found.start("thing"), found.end(), "action", "no call did this, and no result reports it")

    def check_foreign(self, verb: str, found: re.Match[str], ours: bool) -> None:
        """Flag an action in another language than English. ``verb``: the English one."""
        english = action_phrases.DONE.fullmatch(verb)
        if english is None:
            return
        action = ACTIONS[int(next(name for name, part in english.groupdict().items() if part)[1:])]
        supported = self._is_supported(action, found, "ours" if ours else "reported")
        if action is _GENERIC and not ours:
            supported = self.has_changed(verb, "") or self._check.evidence.reports(change_words.ENDING.sub("", verb))
        if not supported:
            done = "no person was paged or informed" if action.contact else "no call did this"
            self._check.flag(*found.span(), "action", f"{done}, and no result reports it")

    def _check_page(self, found: re.Match[str], clause: Clause, lead: str) -> None:
        """Flag a team that was not paged and a number that no page has."""
        joined = self._check.joined_end(clause)
        for start, end in self._teams.others(found.string, found.end(), joined, clause.start):
            self._check.flag(start, end, "action", f"paged was {self._teams.text}")
        opened = found.re is not action_phrases.DONE
        end = self._check.sentence_end(clause) if opened else clause.end
        number = action_phrases.INCIDENT.search(found.string, found.end(), end)
        numbers = self._teams.incidents
        if number and numbers and number[0] not in numbers:
            self._check.flag(*number.span(), "incident", f"the page has the number {', '.join(sorted(numbers))}")


def _together(stem: str, thing: str) -> str:
    """Return a pattern for a verb near a thing, in any order."""
    one, other = re.escape(stem), re.escape(thing.split()[0].rstrip("s")[:6])
    return f"{one}[^\\n]{{0,120}}?{other}|{other}[^\\n]{{0,120}}?{one}"


def _noun_voice(found: re.Match[str], lead: str, action: Action) -> Voice | None:
    if action_phrases.FIRST_PERSON.search(lead) or not lead.strip():
        return "ours" if action.contact or (found["did"] and found.start("did") == found.start()) else "reported"
    return "reported"


def _voice(action: Action, found: re.Match[str], clause: Clause, lead: str, services: AbstractSet[str]) -> Voice | None:
    """Return who is said to have acted; None if it is no statement about an action that can be checked."""
    after = found.string[found.end() : clause.end]
    lead = lead[-_NEAR:] if len(lead) > _NEAR else lead
    if action_phrases.FIRST_PERSON.search(lead):
        return "ours"
    if action_phrases.BE.search(lead) or (
        clause.joined in (",", "and") and action_phrases.ONLY_ADVERBS.match(lead) and _is_passive(clause.before)
    ):
        return _passive(action, found, lead)
    if action_phrases.ONLY_ADVERBS.match(lead) and not action_phrases.HAVE.search(lead.strip() and lead):
        return _without_subject(action, found, clause, after, services)
    if action_phrases.ADJECTIVE.search(lead):
        return None
    if action_phrases.US.search(lead) and (action.contact or action_phrases.HAVE.search(lead)):
        return "ours"
    if action.contact:
        return "reported" if action_phrases.PEOPLE.search(lead) and not action_phrases.OBJECT.match(after) else None
    if action in _RARELY_OURS or action is OPENED:
        return None
    return "reported"


def _is_passive(before: str) -> bool:
    return bool(re.search(r"\b(?:was|were|been)\s+\w+\s*[^\w]*$", before, re.IGNORECASE))


def _passive(action: Action, found: re.Match[str], lead: str) -> Voice | None:
    if action_phrases.TO_US.search(lead):
        return None
    if action.contact:
        clear = re.match(r"paged|notified|woken|woke|informed|escalated", found[0], re.IGNORECASE)
        people = action_phrases.PEOPLE.search(lead) or action_phrases.NOT_PAGED.search(lead)
        return "reported" if clear or people else None
    if action_phrases.BY_US.match(found.string, found.end()):
        return "ours"
    if action in _RARELY_OURS:
        plainly = action_phrases.STATE_WORDS.match(found[0]) or action_phrases.PLAINLY.match(found[0])
        plainly = plainly or action_phrases.FIX.search(lead)
        return "reported" if plainly and re.search(r"\b(?:was|were|been|is now|are now)\W", lead, re.I) else None
    return "reported"


def _without_subject(
    action: Action, found: re.Match[str], clause: Clause, after: str, services: AbstractSet[str]
) -> Voice | None:
    before = clause.before
    if action_phrases.CLOCK_BEFORE.search(before + found.string[clause.start : found.start()]):
        return "reported"
    words = after.split(maxsplit=1)
    has_object = action_phrases.OBJECT.match(after) or (words and words[0].lower().strip(".,") in services)
    if action in _RARELY_OURS and not has_object:
        return None
    if action_phrases.COUNTED.match(after) and not action.contact:
        return "reported"
    if clause.joined in (",", "and", "("):
        if clause.joined != "(" and action_phrases.PAST_VERB.match(before):
            return "ours"
        if action.contact:
            return "ours" if action_phrases.OBJECT.match(after) or action_phrases.PEOPLE.search(after) else "reported"
        return None if clause.joined == "and" or action in _RARELY_OURS else "reported"
    return "ours"
