"""The check of statements that there were no deploys (pure)."""

from __future__ import annotations

import json
import re

from watchkeeper.incident.claim_records import argument_values
from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.vocabulary import absence_words


def check_absence(check: Check) -> None:
    """Flag statements that there were no deploys if a result lists some for the same service and span."""
    read = _deploys(check)
    if not any(count for count, _ in read.values()):
        return
    text = check.report.plain
    for clause in check.report.clauses:
        if clause.advice:
            continue
        for found in absence_words.NO_DEPLOYS.finditer(text, clause.start, clause.end):
            sentence = text[clause.start - len(clause.before) : check.sentence_end(clause)].lower()
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.end()].lower()
            named = _named(read, sentence) or _named(read, line) or set(read)
            if all(read[service][0] and _same_span(sentence, read[service][1]) for service in named):
                check.flag(*found.span(), "action", f"a result lists deploys of {', '.join(sorted(named))}")


def _deploys(check: Check) -> dict[str, tuple[int, float | None]]:
    """Return how many deploys of each service were read, and the hours that the call asked for."""
    read: dict[str, tuple[int, float | None]] = {}
    for call in check.records.calls:
        if call.key not in check.records.results or not absence_words.DEPLOY_TOOL.search(call.name):
            continue
        arguments = argument_values(call.arguments)
        try:
            result = json.loads(check.records.results[call.key])
        except (ValueError, RecursionError):
            continue
        service = arguments.get("service", "").lower()
        listed = [value for value in result.values() if isinstance(value, list)] if isinstance(result, dict) else []
        if not listed or not service:
            continue
        hours = arguments.get("hours", "")
        count, _ = read.get(service, (0, None))
        read[service] = (len(listed[0]) + count, float(hours) if hours.isdigit() else None)
    return read


def _named(read: dict[str, tuple[int, float | None]], text: str) -> set[str]:
    return {service for service in read if re.search(f"(?<![\\w-]){re.escape(service)}(?![\\w-])", text)}


def _same_span(sentence: str, hours: float | None) -> bool:
    """Tell whether a sentence speaks of all the time that was asked for, not of an hour or a morning."""
    spans = [int(found[1]) * (24 if found[2].startswith("d") else 1) for found in absence_words.SPAN.finditer(sentence)]
    if spans:
        return hours is not None and all(span == hours for span in spans)
    return not absence_words.PART.search(sentence)
