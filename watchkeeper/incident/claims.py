"""The check of a report's claims against what its run has read and done (pure).

Figures, versions, times, incident numbers, names, quotes and citations must have been read. Statements about actions
must agree with the call records. What the checks do not understand is not flagged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watchkeeper.contracts import Claim
from watchkeeper.incident.absence_claims import check_absence
from watchkeeper.incident.action_claims import check_actions
from watchkeeper.incident.claim_marks import occurrences
from watchkeeper.incident.claim_records import Records
from watchkeeper.incident.claim_spans import Check, Unsupported
from watchkeeper.incident.figure_claims import check_figures
from watchkeeper.incident.health_claims import check_health
from watchkeeper.incident.name_claims import (
    check_citations,
    check_dated_versions,
    check_incidents,
    check_logged,
    check_names,
    check_versions,
)
from watchkeeper.incident.quote_claims import check_quotes
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.report_clauses import report_text
from watchkeeper.incident.time_claims import check_times

__all__ = ["Records", "unsupported_claims", "unsupported_parts"]

MOST = 100
"""Most claims of one report."""


def unsupported_claims(report: str, records: Records) -> list[Claim]:
    """Return the claims of a report that nothing supports, in their order, each once.

    ``text`` of a claim is a part of the report, character for character.
    """
    parts: dict[str, list[Unsupported]] = {}
    for part in unsupported_parts(report, records):
        parts.setdefault(report[part.start : part.end], []).append(part)
    return [_claim(report, text, found) for text, found in list(parts.items())[:MOST]]


def _claim(report: str, text: str, parts: Sequence[Unsupported]) -> Claim:
    """Return a claim with the numbers of its occurrences, if the same text is also written where it is no claim."""
    claim = Claim(text=text, kind=parts[0].kind, why=parts[0].why)
    places, starts = occurrences(report, text), {part.start for part in parts}
    numbers = [number for number, at in enumerate(places) if at in starts]
    named = len(numbers) == len(starts) and len(numbers) < len(places)
    return claim.model_copy(update={"occurrences": numbers}) if named else claim


def unsupported_parts(report: str, records: Records) -> list[Unsupported]:
    """Return the parts of a report that nothing supports, by position; only actions overlap with other parts."""
    check = Check(report_text(report), ReadEvidence(records), records)
    check_actions(check)
    check_absence(check)
    check_health(check)
    check_quotes(check)
    check_citations(check)
    check_dated_versions(check)
    clocks = check_times(check)
    check_incidents(check)
    check_versions(check)
    check_logged(check)
    check_names(check)
    check_figures(check, clocks)
    return _apart([_in_report(check, part) for part in check.found])


def _in_report(check: Check, part: Unsupported) -> Unsupported:
    start, end = check.report.place(part.start, part.end)
    return replace(part, start=start, end=end)


def _apart(found: Sequence[Unsupported]) -> list[Unsupported]:
    """Return the parts by position. Of two that overlap, the shorter one is kept, and actions."""
    kept: list[Unsupported] = []
    covered = bytearray(max((part.end for part in found), default=0))
    for part in sorted(found, key=lambda part: (part.end - part.start, part.start)):
        if part.end > part.start and (part.kind == "action" or not any(covered[part.start : part.end])):
            kept.append(part)
            covered[part.start : part.end] = b"\x01" * (part.end - part.start)
    return sorted(kept, key=lambda part: part.start)
