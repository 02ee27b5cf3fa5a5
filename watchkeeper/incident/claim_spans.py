"""The places of a report that a check has found, or has read (pure)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from watchkeeper.contracts.reports import ClaimKind
from watchkeeper.incident.claim_records import Records
from watchkeeper.incident.read_evidence import ReadEvidence
from watchkeeper.incident.report_clauses import Clause, ReportText, has_verb

READ = "\x01"
"""Replaces a character that an earlier check has read."""


@dataclass(frozen=True)
class Unsupported:
    """A part of the report that nothing supports."""

    start: int
    end: int
    kind: ClaimKind
    why: str


class Check:
    """One check of a report: what it may rely on, and which parts are read already."""

    def __init__(self, report: ReportText, evidence: ReadEvidence, records: Records) -> None:
        """Begin a check in which nothing is read yet."""
        self.report, self.evidence, self.records = report, evidence, records
        self.text = report.plain
        self.found: list[Unsupported] = []
        self._hidden: list[tuple[int, int]] = []
        self._code = [start for start, _ in report.code]
        self._starts = [clause.start for clause in report.clauses]

    def clause(self, at: int) -> Clause | None:
        """Return the clause around an offset; None in code and between clauses."""
        index = bisect_right(self._starts, at) - 1
        if index < 0 or self.report.clauses[index].end <= at:
            return None
        return self.report.clauses[index]

    def sentence_end(self, clause: Clause) -> int:
        """Return the offset at which the sentence of a clause ends."""
        start, end = clause.start - len(clause.before), clause.end
        for other in self.report.clauses[bisect_right(self._starts, clause.start) :]:
            if other.start - len(other.before) != start:
                break
            end = other.end
        return end

    def joined_end(self, clause: Clause) -> int:
        """Return where the names end that are joined to a clause: paged search and the platform team."""
        end = clause.end
        for other in self.report.clauses[bisect_right(self._starts, clause.start) :]:
            labelled = other.joined == ":" and end == clause.end
            if not (labelled or other.joined in ("and", ",", "(")) or not other.before or has_verb(other.text):
                break
            end = other.end
        return end

    def is_stated(self, at: int) -> bool:
        """Tell whether the text at an offset states something, so is no advice."""
        clause = self.clause(at)
        return clause is not None and not clause.advice

    def in_code(self, at: int) -> bool:
        """Tell whether an offset is inside a code span."""
        index = bisect_right(self._code, at) - 1
        return index >= 0 and at < self.report.code[index][1]

    def take(self, start: int, end: int) -> None:
        """Hide a part of the text from the checks that follow."""
        self._hidden.append((start, end))

    def hide(self) -> None:
        """Take the parts that were read out of the text. Every offset stays the same."""
        pieces, at = [], 0
        for start, end in sorted(self._hidden):
            start = max(start, at)
            if end > start:
                pieces += [self.text[at:start], READ * (end - start)]
                at = end
        self.text = "".join([*pieces, self.text[at:]])
        self._hidden = []

    def flag(self, start: int, end: int, kind: ClaimKind, why: str) -> None:
        """Record a part that nothing supports."""
        self.found.append(Unsupported(start, end, kind, why))
