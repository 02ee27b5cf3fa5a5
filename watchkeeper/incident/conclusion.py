"""What counts as a conclusion, and who is woken for it: decided from the answer and the records (pure).

No model judges here. The activity ``review`` applies these rules and records what it found, so a rule may change while
runs are open.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from watchkeeper.contracts import CallRecord, Claim, Review, Verdict
from watchkeeper.incident.answer_form import announces_work, asks_reader, ends_with_announcement, says_nothing
from watchkeeper.incident.stated_verdict import read_verdicts

URGENT = ("critical", "error")
"""Severities for which a person is woken unless the records show that this is not needed."""

_OWN_CHECK = re.compile(r"<report_check>.*?(?:</report_check>|\Z)", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_CITATION = re.compile(r"\br\d+\.\d+\b")


@dataclass(frozen=True)
class ConclusionFacts:
    """What the records say about an answer."""

    by_alert: bool
    """Alerts started the investigation. A person's question needs neither a read nor a verdict."""
    corrected: bool = False
    """The model has been corrected once. A person may then be asked for something."""
    has_read: bool = False
    """A read has succeeded."""
    results: Mapping[str, str] = field(default_factory=dict)
    """Results of the reads that succeeded, as JSON text by call key; except where a summary has replaced one."""


def verdict_of(answer: str) -> Verdict | None:
    """Return the verdict of an answer; None if it names none, or more than one."""
    verdicts = read_verdicts(answer)
    return verdicts[0] if len(verdicts) == 1 else None


def find_problems(answer: str, facts: ConclusionFacts) -> list[str]:
    """Return why an answer is no conclusion, a sentence each; empty if it is one."""
    problems, verdicts = list[str](), read_verdicts(answer)
    if says_nothing(answer):
        problems.append("It reports nothing.")
    elif asks_reader(answer) and (facts.by_alert or not facts.corrected):
        problems.append("It asks the reader for something instead of reporting.")
    elif announces_work(answer) or (ends_with_announcement(answer) and not verdicts):
        problems.append("It announces work that was not done.")
    if not facts.by_alert:
        return problems
    if not facts.has_read:
        problems.append("No read has succeeded, so nothing supports it.")
    match verdicts:
        case []:
            problems.append("It names no verdict: diagnosed, recovered, healthy or unknown.")
        case ["healthy" | "recovered" as verdict] if facts.results and not _names_a_result(answer, facts.results):
            problems.append(f"Its verdict is {verdict}, but it names nothing that was read.")
        case [_]:
            pass
        case _:
            problems.append(f"It names more than one verdict: {', '.join(verdicts)}.")
    return problems


def find_contradictions(answer: str, facts: ConclusionFacts, unsupported: Iterable[Claim]) -> list[str]:
    """Return why unsupported claims conclude no alert: false actions, or a good verdict that results contradict."""
    kinds = [claim.kind for claim in unsupported] if facts.by_alert else []
    problems: list[str] = []
    if "action" in kinds:
        problems.append("It states an action that no call of this run has done.")
    if "health" in kinds and verdict_of(answer) in ("healthy", "recovered"):
        problems.append("Its verdict contradicts what was read.")
    return problems


def correction_text(introduction: str, review: Review) -> str:
    """Write what is wrong with an answer for the model. ``without_corrections`` finds the text again."""
    lines = [f"- {problem}" for problem in review.problems]
    lines += [f"- Not supported: {claim.text!r} ({claim.why})." for claim in review.unsupported]
    return "\n".join(["<report_check>", introduction.strip(), "", *lines, "</report_check>"])


def without_corrections(message: str) -> str:
    """Return a message without our own corrections: they quote false claims, and would support them."""
    return _OWN_CHECK.sub("", message)


def unsent_page(calls: Sequence[CallRecord], pagers: Container[str], look_first: str = "") -> str | None:
    """Say which page the model wanted that was not sent; None if it wanted none, or if any page was sent.

    A page that was refused with ``look_first`` does not count: the model was to look first, and may have found that
    no one needs to be woken.
    """
    pages = [call for call in calls if call.name in pagers]
    if any(call.status == "ok" for call in pages):
        return None
    wanted = [call for call in pages if not (look_first and call.finding.startswith(look_first[:40]))]
    if not wanted:
        return None
    last = wanted[-1]
    return f"the model wanted to page ({last.key} {last.name}), and the page was not sent ({last.status})"


def wake_reason(review: Review, *, severity: str | None, firing: int, is_paged: bool) -> str | None:
    """Say why people are woken for a conclusion; None if they are not.

    An urgent alert that still fires wakes a person, unless one was woken already, or the latest read says that the
    service is healthy and nothing in the report contradicts the records.
    """
    if is_paged or not firing or severity not in URGENT:
        return None
    if review.verdict in ("healthy", "recovered") and review.shown_healthy and not review.unsupported:
        return None
    alerts = "alert still fires" if firing == 1 else f"{firing} alerts still fire"
    return f"{severity}: {alerts}, and no one was paged"


def is_shown_healthy(results: Iterable[Mapping[str, object]]) -> bool:
    """Return whether the last result that states a health says healthy. ``results``: oldest first."""
    stated = [health for result in results if (health := _stated_health(result)) is not None]
    return bool(stated) and stated[-1]


_HEALTHY = ("healthy", "ok", "up", "operational", "normal", "green", "available")


def _stated_health(result: Mapping[str, object]) -> bool | None:
    match result:
        case {"healthy": bool(healthy)}:
            return healthy
        case {"status": str(status)} | {"health": str(status)}:
            return status.lower() in _HEALTHY
        case _:
            return None


def _names_a_result(answer: str, results: Mapping[str, str]) -> bool:
    """Return whether an answer cites a result, or has a number that a result has."""
    if any(key in results for key in _CITATION.findall(answer)):
        return True
    read = dict.fromkeys(number for result in results.values() for number in map(_digits, _NUMBER.findall(result)))
    return any(_digits(number) in read for number in _NUMBER.findall(answer))


def _digits(number: str) -> str:
    """Return the significant digits: 18.2 (percent), 0.182 and 182 are alike."""
    return re.sub(r"[.,]", "", number).strip("0")
