"""The check of statements about actions: each must agree with a call of the run, or be reported in a result (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.action_voice import GENERIC, NEAR, RARELY_OURS, Voice, is_listed_as_done, noun_voice, voice_of
from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.foreign_actions import foreign_actions
from watchkeeper.incident.paged_teams import PagedTeams
from watchkeeper.incident.recorded_acts import names_part, near_each_other, only_says
from watchkeeper.incident.report_clauses import Clause, is_hedged, is_imperative
from watchkeeper.incident.vocabulary import action_phrases, advice_words, change_words
from watchkeeper.incident.vocabulary.action_words import ACTIONS, CONTACT, OPENED, Action
from watchkeeper.incident.vocabulary.unit_words import WORD_NUMBERS

_LAST_PART = re.compile(r"[^.;|(\n]*$")
_FROM_TO = 60


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
        works = change_words.FIX_IS.match(text, clause.start, clause.end)
        changes += [works] if works else []
        own = list(action_phrases.I_VERB.finditer(text, clause.start, clause.end))
        if clause.joined in ("and", ",") and action_phrases.I_DID.search(clause.before):
            again = action_phrases.AND_VERB.match(text, clause.start, clause.end)
            own += [again] if again else []
            ran = action_phrases.AND_RAN.match(text, clause.start, clause.end)
            own += [ran] if ran else []
        redone = action_phrases.WAS_REDONE.finditer(text, clause.start, clause.end)
        own += (found for found in redone if any(char.isdigit() for char in text[clause.start : found.start()]))
        own += action_phrases.WAS_DONE.finditer(text, clause.start, clause.end)
        for found in action_phrases.I_TOLD.finditer(text, clause.start, clause.end):
            checker.check_told(found, clause)
        if action_phrases.DONE_LABEL.match(clause.section):
            listed = action_phrases.LISTED.match(text, clause.start, clause.end)
            own += [listed] if listed else []
        own += action_phrases.RAN.finditer(text, clause.start, clause.end)
        for found in own:
            passive = found.re is action_phrases.WAS_DONE
            others = [(part.start, part.end) for part in check.found] if passive else seen
            if not any(start < found.end("verb") and found.start("verb") < end for start, end in others):
                checker.check_own(found, clause)
        short = change_words.SHORT.fullmatch(text, clause.start, clause.end)
        for found in [*changes, *([short] if short else [])]:
            if not any(part.start < found.end() and found.start() < part.end for part in check.found):
                checker.check_change(found, clause)
    for found in action_phrases.LABELLED.finditer(check.report.plain):
        around = check.clause(found.start("did"))
        if around and not around.question and not any(part.start <= found.start() < part.end for part in check.found):
            action = ACTIONS[int(next(name for name, part in found.groupdict().items() if part and name != "did")[1:])]
            checker.check_noun(action, found, "ours" if action.contact else "reported")
    for pattern in action_phrases.STATED_DONE:
        for found in pattern.finditer(check.report.plain):
            checker.check_stated(found)
    checker.check_page_labels()
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
        results = check.evidence.results
        self._outcomes = [
            *self._acts,
            *(results[call.key] for call in records.calls if call.key in results and not self._is_read(call.name)),
        ]
        self._teams = PagedTeams(records)
        self._services = frozenset(service.lower() for service in records.services)
        self._names = self._services | check.evidence.persons

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
        voice = noun_voice(found, lead, action) if noun else voice_of(action, found, clause, lead, self._names)
        if voice is None and is_listed_as_done(clause, lead, self._services):
            voice = "ours"
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
        elif action in RARELY_OURS and not noun and self._is_another(found, lead):
            self._check.flag(*found.span(), "action", "no call named it, and no result reports this")
        elif voice == "ours" and not action.contact and not noun:
            self._check_object(action, found)
            self._check_service(found)
            self._check_from_to(found, clause)
        elif voice == "reported" and not action.contact and not noun:
            self._check_subject(action, found, lead)

    def check_noun(self, action: Action, found: re.Match[str], voice: Voice) -> None:
        """Flag a line such as ``Rollback: done`` if nothing supports it."""
        if not self._is_supported(action, found, voice):
            done = "no person was paged or informed" if action.contact else "no call did this"
            self._check.flag(*found.span(), "action", f"{done}, and no result reports it")

    def check_stated(self, found: re.Match[str]) -> None:
        """Flag what the writer claims to be doing, or has ticked off, if no call does it."""
        start, end = found.span("did")
        clause = self._check.clause(start)
        if clause is None or clause.question or self._is_flagged(start, end):
            return
        ticked = found.re in (action_phrases.TICKED, action_phrases.ROW_DONE)
        if not ticked and (clause.advice or clause.hedged or is_hedged(found.string[clause.start : start])):
            return
        named = next(name for name, part in found.groupdict().items() if part and name != "did")
        action = ACTIONS[int(named[1:])]
        if self._is_supported(action, found, "ours"):
            return
        done = "no person was paged or informed" if action.contact else "no call did this"
        self._check.flag(start, end, "action", done)

    def check_told(self, found: re.Match[str], clause: Clause) -> None:
        """Flag that the writer informed a person, if no call sends messages or pages."""
        lead = found.string[clause.start : found.start()]
        if self._is_no_statement(found, clause, lead) or any(only_says(act) for act in self._acts) or self._teams.any:
            return
        self._check.flag(found.start("verb"), found.end(), "action", "no person was paged or informed")

    def check_page_labels(self) -> None:
        """Flag the names in lines such as ``Pages: search`` and clauses such as ``search paged``, if they were not."""
        for pattern in (action_phrases.PAGE_LABEL, action_phrases.NAME_PAGED):
            for found in pattern.finditer(self._check.report.plain):
                name = found["name"].lower()
                clause = self._check.clause(found.start("name"))
                if (
                    clause is None
                    or advice_words.ADVICE_SECTION.search(clause.section)
                    or name in action_phrases.NOT_A_TEAM
                    or not self._is_name(name)
                ):
                    continue
                if not self._teams.was_paged([name]) and not self._is_flagged(*found.span("name")):
                    paged = f"paged was {self._teams.text}" if self._teams.any else "no person was paged or informed"
                    self._check.flag(*found.span("name"), "action", paged)

    def _is_name(self, name: str) -> bool:
        tokens = self._check.evidence.tokens
        return name in self._services or any(token == name or token.startswith(f"{name}-") for token in tokens)

    def _is_flagged(self, start: int, end: int) -> bool:
        return any(part.start < end and start < part.end for part in self._check.found)

    def check_own(self, found: re.Match[str], clause: Clause) -> None:
        """Flag what the writer says to have done if no call may have done it: ``I skipped the message``."""
        verb = found["verb"].lower()
        ran = found.re in (action_phrases.RAN, action_phrases.AND_RAN)
        if ran and action_phrases.LOOK.search(found["object"]):
            return
        if verb in action_phrases.THOUGHT or (verb.endswith("ed") and verb.startswith(("re-check", "recheck"))):
            return
        if self._is_no_statement(found, clause, found.string[clause.start : found.start("verb")]):
            return
        passive = found.re in (action_phrases.WAS_REDONE, action_phrases.WAS_DONE)
        if passive and change_words.BY_OTHERS.match(found.string, found.end()):
            return
        if passive and self._check.evidence.reports(re.escape(change_words.ENDING.sub("", verb))):
            return
        about = found["object"] if ran else clause.text
        if not self.has_changed("" if ran else verb, about):
            self._check.flag(found.start("verb"), found.end(), "action", "no call did this")

    def _is_no_statement(self, found: re.Match[str], clause: Clause, lead: str, *, stated: bool = False) -> bool:
        listed = clause.joined in (",", "and") and action_phrases.ONLY_ADVERBS.match(lead)
        scope = clause.before[-NEAR:] + " " + lead if listed or clause.joined == "(" else lead
        said = scope + (found[0] if " " in found[0] else "")
        if action_phrases.NEGATION.search(said) or action_phrases.NEGATED_AFTER.match(found.string, found.end()):
            return True
        if action_phrases.NEGATIVE_SUBJECT.match(clause.before + lead):
            return True
        if action_phrases.WHAT_WE.match(lead):
            return True
        if clause.hedged or is_hedged(lead + found[0]):
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
        elif action is GENERIC and not change_words.SOLVED.match(found[0]):
            clause = self._check.clause(found.start())
            called = self.has_changed(found[0], clause.text if clause else around)
        elif action.done.startswith("deployed") and before and action_phrases.FIX.search(before[0]):
            return any("fix" in act or "patch" in act for act in self._acts) or (
                voice == "reported" and self._check.evidence.reports(change_words.FIX_READ)
            )
        else:
            called = any(re.search(action.call, act) for act in self._acts if not only_says(act))
        if called or voice == "ours":
            return called
        by_itself = action_phrases.COUNTED.match(found.string, found.end()) or action_phrases.OFTEN.match(
            found.string, found.end()
        )
        by_itself = by_itself or action_phrases.MACHINE.search(found.string, max(0, found.start() - 60), found.start())
        on_purpose = action.strict and not by_itself
        evidence = self._check.evidence
        if action is GENERIC and not change_words.SOLVED.match(found[0]):
            return evidence.reports(re.escape(change_words.ENDING.sub("", found[0].lower().split()[0])))
        return evidence.reports(action.strict if on_purpose else action.evidence) or evidence.says(action.done)

    def _is_unreached(self, around: str, before: re.Match[str] | None) -> bool:
        """Tell whether it concerns people that a page to a team does not reach."""
        if action_phrases.NOT_PAGED.search(around):
            return True
        subject = action_phrases.INFORMED.search(before[0]) if before else None
        name = subject[1].lower() if subject else ""
        return name in self._check.evidence.persons and name not in self._teams.names

    def has_changed(self, verb: str, about: str) -> bool:
        """Tell whether a call has done what a verb says, or something with one of the things that are named."""
        if any(change_words.ADDED.match(verb) and change_words.SCALES.search(act) for act in self._acts):
            return True
        stem = change_words.ENDING.sub("", verb.lower().split()[0]) if verb else "\n"
        words = {word for word in re.findall(r"[a-z_]{4,}", about.lower()) if word not in self._services}
        words = {word.rstrip("s") for word in words} | {stem}
        words -= {"state", "name", "service", "value", "with", "from", "that", "this", "have", "been", "were", "also"}
        return any(names_part(act, [stem]) or (names_part(act, words) and not only_says(act)) for act in self._acts)

    def check_change(self, found: re.Match[str], clause: Clause) -> None:
        """Flag a passive statement about a change that no call has made and that no result reports."""
        lead = found.string[clause.start : found.start("thing")]
        if self._is_no_statement(found, clause, lead) or change_words.PLANNED_LABEL.search(clause.label):
            return
        if change_words.BY_OTHERS.match(found.string, found.end()) or change_words.FROM_TO.match(
            found.string, found.end()
        ):
            return
        if self.has_changed(found["verb"], found[0]) or self._is_told_by_author(clause.before + lead):
            return
        if self._acts and change_words.APPLIED.fullmatch(found["verb"]) and action_phrases.FIX.search(found["thing"]):
            return
        stem = change_words.ENDING.sub("", found["verb"].lower().split()[0])
        fix = bool(action_phrases.FIX.search(found["thing"]))
        is_new = fix or ("be" in found.re.groupindex and change_words.NEW.search(lead))
        if not (
            self._check.evidence.reports(change_words.FIX_READ)
            if fix
            else not is_new and self._check.evidence.reports(near_each_other(stem, found["thing"].lower()))
        ):
            self._check.flag(found.start("thing"), found.end(), "action", "no call did this, and no result reports it")

    def _is_told_by_author(self, said: str) -> bool:
        """Tell whether a sentence names a person who wrote a message as its source: as ines wrote."""
        source = action_phrases.SOURCE.search(said)
        return bool(source) and any(name in source[0].lower() for name in self._check.evidence.authors if source)

    def check_foreign(self, verb: str, found: re.Match[str], ours: bool) -> None:
        """Flag an action in another language than English. ``verb``: the English one."""
        english = action_phrases.DONE.fullmatch(verb)
        if english is None:
            return
        action = ACTIONS[int(next(name for name, part in english.groupdict().items() if part)[1:])]
        supported = self._is_supported(action, found, "ours" if ours else "reported")
        if action is GENERIC and not ours:
            supported = self.has_changed(verb, "") or self._check.evidence.reports(change_words.ENDING.sub("", verb))
        if not supported:
            done = "no person was paged or informed" if action.contact else "no call did this"
            self._check.flag(*found.span(), "action", f"{done}, and no result reports it")

    def _check_object(self, action: Action, found: re.Match[str]) -> None:
        """Flag a pod, host or number that none of the calls named: restarted web-1, where web-0 was restarted."""
        named = action_phrases.OBJECT_NAME.match(found.string, found.end())
        if named is None or re.match(r"rolled|revert|undo|deploy|ship|release|promote", found[0], re.IGNORECASE):
            return
        name = named["name"].lower()
        about = [act for act in self._acts if action.call == "." or re.search(action.call, act)]
        values = {word for act in about for word in re.findall(r"[\w.-]{4,}", act)}
        if not any(name in value or value in name for value in values) and self._check.evidence.has_name(name):
            self._check.flag(*named.span("name"), "action", "the call named something else")

    def _check_service(self, found: re.Match[str]) -> None:
        """Flag a service that no call named: restarted web, where api was restarted."""
        named = action_phrases.SERVICE_AFTER.match(found.string, found.end())
        if named and named["name"].lower() in self._services and not self._was_named(named["name"]):
            self._check.flag(*named.span("name"), "action", "the call named something else")

    def _check_subject(self, action: Action, found: re.Match[str], lead: str) -> None:
        """Flag a service of which no call and no result says this: web was restarted, where api was restarted."""
        named = action_phrases.SERVICE_BEFORE.search(lead)
        if named is None or named["name"].lower() not in self._services or self._was_named(named["name"]):
            return
        name = named["name"].lower()
        evidence = self._check.evidence
        texts = [text.lower() for text in (*evidence.results.values(), *evidence.words)]
        if not any(name in text and re.search(action.evidence, text) for text in texts):
            self._check.flag(*found.span(), "action", f"no call and no result says this of {name}")

    def _was_named(self, name: str) -> bool:
        """Tell whether a call that changes something named a service, or its result did."""
        return any(name.lower() in text.lower() for text in self._outcomes)

    def _is_another(self, found: re.Match[str], lead: str) -> bool:
        """Tell whether a passive statement is about a pod, host or index that no call named and no result reports."""
        named = action_phrases.RESOURCE_IS.search(lead)
        if not named:
            return False
        name = named[0].split()[0].lower()
        stem = re.escape(change_words.ENDING.sub("", found[0].lower().split()[0]))
        return not any(name in act for act in self._acts) and not self._check.evidence.reports(stem)

    def _check_from_to(self, found: re.Match[str], clause: Clause) -> None:
        """Flag the numbers from which and to which something was scaled, if no call and no result has them."""
        end = min(self._check.sentence_end(clause), found.end() + _FROM_TO)
        numbers = action_phrases.FROM_TO.search(found.string, found.end(), end)
        numbers = numbers or action_phrases.TO_NUMBER.match(found.string, found.end(), end)
        for name in ("from", "to") if numbers else ():
            written = numbers[name].lower() if numbers else ""
            number = str(WORD_NUMBERS.get(written, written))
            known = any(re.search(rf"(?<![\w.]){number}(?![\w.])", text) for text in self._outcomes)
            if numbers and number and not known and (name == "to" or number not in self._check.evidence.tokens):
                start, until = numbers.span(name)
                self._check.flag(start, until, "action", "no call and no result has this number")

    def _check_page(self, found: re.Match[str], clause: Clause, lead: str) -> None:
        """Flag a team that was not paged and a number that no page has."""
        joined = self._check.joined_end(clause)
        told = action_phrases.TOLD_SUBJECT.search(lead)
        for name in re.finditer(r"[\w-]+", told["names"]) if told else ():
            if told and name[0].lower() in self._services and not self._teams.was_paged([name[0].lower()]):
                at = clause.start + told.start("names") + name.start()
                self._check.flag(at, at + len(name[0]), "action", f"paged was {self._teams.text}")
        for start, end in self._teams.others(found.string, found.end(), joined, clause.start):
            self._check.flag(start, end, "action", f"paged was {self._teams.text}")
        opened = found.re is not action_phrases.DONE
        end = self._check.sentence_end(clause) if opened else clause.end
        number = action_phrases.INCIDENT.search(found.string, found.end(), end)
        numbers = self._teams.incidents
        if number and numbers and number[0] not in numbers:
            self._check.flag(*number.span(), "incident", f"the page has the number {', '.join(sorted(numbers))}")
