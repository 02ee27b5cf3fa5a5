"""Who is said to have acted: the writer, or anyone (pure)."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Literal, TypeAlias

from watchkeeper.incident.report_clauses import Clause
from watchkeeper.incident.vocabulary import action_phrases
from watchkeeper.incident.vocabulary.action_words import ACTIONS, OPENED, Action

NEAR = 200
"""Characters before a verb in which its subject is looked for."""

Voice: TypeAlias = Literal["ours", "reported"]
"""``ours``: only a call supports it. ``reported``: a result or a message that says so supports it, too."""

GENERIC = ACTIONS[-1]
RARELY_OURS = {
    action for action in ACTIONS if re.search("killed|deleted|disabled|deployed|switched|scaled", action.done)
} | {GENERIC}


def noun_voice(found: re.Match[str], lead: str, action: Action) -> Voice:
    """Return who is said to have acted by a noun, such as page sent or rollback completed."""
    if action_phrases.FIRST_PERSON.search(lead) or not lead.strip():
        return "ours" if action.contact or (found["did"] and found.start("did") == found.start()) else "reported"
    return "reported"


def voice_of(
    action: Action, found: re.Match[str], clause: Clause, lead: str, services: AbstractSet[str]
) -> Voice | None:
    """Return who is said to have acted; None if it is no statement about an action that can be checked."""
    after = found.string[found.end() : clause.end]
    lead = lead[-NEAR:] if len(lead) > NEAR else lead
    if action_phrases.FIRST_PERSON.search(lead):
        return "ours"
    if action_phrases.BE.search(lead) or (
        clause.joined in (",", "and") and action_phrases.ONLY_ADVERBS.match(lead) and _is_passive(clause.before)
    ):
        return _passive(action, found, lead, services)
    if action_phrases.ONLY_ADVERBS.match(lead) and not action_phrases.HAVE.search(lead.strip() and lead):
        return _without_subject(action, found, clause, after, services)
    if (
        clause.joined in (",", "and")
        and action_phrases.AND_HAVE.match(clause.before)
        and action_phrases.ONLY_ADVERBS.match(lead)
    ):
        return "ours"
    if action_phrases.ADJECTIVE.search(lead):
        return None
    if action_phrases.US.search(lead) and (action.contact or action_phrases.HAVE.search(lead)):
        return "ours"
    if action.contact:
        return "reported" if action_phrases.PEOPLE.search(lead) and not action_phrases.OBJECT.match(after) else None
    if action in RARELY_OURS or action is OPENED:
        return None
    return "reported"


def is_listed_as_done(clause: Clause, lead: str, services: AbstractSet[str]) -> bool:
    """Tell whether a line such as ``Changes made: api scaled`` lists an action without saying who did it."""
    if not action_phrases.DONE_LABEL.match(clause.label):
        return False
    subject = lead.strip(" ,;:*-|").lower()
    return not subject or subject in services or bool(action_phrases.RESOURCE.fullmatch(subject))


def _is_passive(before: str) -> bool:
    return bool(re.search(r"\b(?:was|were|been)\s+\w+\s*[^\w]*$", before, re.IGNORECASE))


def _passive(action: Action, found: re.Match[str], lead: str, services: AbstractSet[str]) -> Voice | None:
    if action_phrases.TO_US.search(lead):
        return None
    if action.contact:
        clear = re.match(r"paged|notified|woken|woke|informed|escalated", found[0], re.IGNORECASE)
        people = action_phrases.PEOPLE.search(lead) or action_phrases.NOT_PAGED.search(lead)
        told = action_phrases.TOLD_SUBJECT.search(lead)
        by_name = told and any(name.lower() in services for name in re.findall(r"[\w-]+", told["names"]))
        return "reported" if clear or people or by_name else None
    if action_phrases.BY_US.match(found.string, found.end()):
        return "ours"
    if action in RARELY_OURS:
        subject = lead.split()[:-1][-1:]
        plainly = bool(
            action_phrases.STATE_WORDS.match(found[0])
            or action_phrases.PLAINLY.match(found[0])
            or (subject and subject[0].lower() in services)
            or action_phrases.FIX.search(lead)
            or action_phrases.RESOURCE_IS.search(lead)
        )
        return "reported" if plainly and re.search(r"\b(?:was|were|been|is now|are now)\W", lead, re.I) else None
    return "reported"


def _without_subject(
    action: Action, found: re.Match[str], clause: Clause, after: str, services: AbstractSet[str]
) -> Voice | None:
    before = clause.before
    if clause.joined in (",", "and") and action_phrases.I_DID.search(before):
        return "ours"
    if action_phrases.CLOCK_BEFORE.search(before + found.string[clause.start : found.start()]):
        return "reported"
    words = after.split(maxsplit=1)
    has_object = action_phrases.OBJECT.match(after) or (words and words[0].lower().strip(".,") in services)
    if action in RARELY_OURS and not has_object:
        return None
    if action_phrases.COUNTED.match(after) and not action.contact:
        return "reported"
    if clause.joined in (",", "and", "("):
        if clause.joined != "(" and action_phrases.PAST_VERB.match(before):
            return "ours"
        if action.contact:
            return "ours" if action_phrases.OBJECT.match(after) or action_phrases.PEOPLE.search(after) else "reported"
        return None if clause.joined == "and" or action in RARELY_OURS else "reported"
    return "ours"
