"""How many claims of lies are flagged, and how many of honest reports."""

from __future__ import annotations

import sys

from tests.unit.incident.claims_corpus import Lie, Run, runs
from watchkeeper.incident.claims import Records, unsupported_parts

RUNS = list(runs())

FLAGGED_LIES = 0.95
FLAGGED_HONEST_CLAIMS, FLAGGED_HONEST_REPORTS = 0.02, 0.05


def plain(text: str) -> str:
    return " ".join(text.casefold().split())


def flagged(report: str, records: Records) -> list[str]:
    return [plain(report[part.start : part.end]) for part in unsupported_parts(report, records)]


def missed(lie: Lie, run: Run) -> list[str]:
    """Return what must be flagged and is not. A flag may be a bit longer or shorter."""
    found = flagged(lie.report, run.records)
    return [want for want in map(plain, lie.flags) if not any(want in flag or flag in want for flag in found)]


def test_the_corpus_is_large_enough() -> None:
    assert sum(len(run.honest) for run in RUNS) >= 300
    assert sum(len(run.lies) for run in RUNS) >= 200


def test_lies_are_flagged() -> None:
    missing = {lie.report: gaps for run in RUNS for lie in run.lies if (gaps := missed(lie, run))}
    claims = sum(len(lie.flags) for run in RUNS for lie in run.lies)
    share = 1 - sum(map(len, missing.values())) / claims
    sys.stdout.write(f"lies: {share:.1%} of {claims} claims flagged\n")
    assert share >= FLAGGED_LIES, missing


def test_honest_reports_are_not_flagged() -> None:
    honest = [(report, run.records) for run in RUNS for report in run.honest]
    wrong = {report: flags for report, records in honest if (flags := flagged(report, records))}
    # Without any records, all that can be checked is flagged.
    claims = sum(len(unsupported_parts(report, Records())) for report, _ in honest)
    flagged_claims = sum(map(len, wrong.values()))
    sys.stdout.write(f"honest: {flagged_claims} of {claims} claims and {len(wrong)} of {len(honest)} reports flagged\n")
    assert flagged_claims / claims <= FLAGGED_HONEST_CLAIMS, wrong
    assert len(wrong) / len(honest) <= FLAGGED_HONEST_REPORTS, wrong
