"""What counts as a conclusion: decided from the answer and the records (pure).

No model judges here. The activity ``review`` applies these rules and records what it found, so a rule may change while
runs are open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from watchkeeper.contracts import Claim, Verdict
from watchkeeper.incident.answer_form import announces_work, asks_reader, ends_with_announcement, says_nothing
from watchkeeper.incident.named_results import names_a_result
from watchkeeper.incident.stated_verdict import read_verdicts


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
        case ["healthy" | "recovered" as verdict] if facts.results and not names_a_result(answer, facts.results):
            problems.append(
                f"Its verdict is {verdict}, but it names nothing that was read: give a figure of a result, "
                f"or cite its call, such as [{next(iter(facts.results))}]."
            )
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
