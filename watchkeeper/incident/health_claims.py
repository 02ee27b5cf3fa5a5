"""The check of statements about health and trends (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.claim_records import argument_values
from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.report_clauses import Clause
from watchkeeper.incident.vocabulary import health_words


class _Reads:
    """What each service was last read as."""

    def __init__(self, check: Check) -> None:
        self.looked: set[str] = set()
        self.latest: dict[str, str] = {}
        same: dict[tuple[str, str], int] = {}
        for call in check.records.calls:
            text = check.evidence.results.get(call.key)
            if text is None or call.name in check.records.pages or call.page:
                continue
            services = {value.lower() for value in argument_values(call.arguments).values()}
            named = re.search(r'"service"\s*:\s*"([^"]+)"', text)
            services |= {named[1].lower()} if named else set()
            self.looked |= services
            status = health_words.STATUS.search(text)
            for service in services if status else ():
                self.latest[service] = status[1].lower() if status else ""
            asked = re.sub(r"\d+", "0", call.arguments)  # Another window is the same question.
            same[call.name, asked] = same.get((call.name, asked), 0) + 1
        self.repeated = any(times > 1 for times in same.values())


def check_health(check: Check) -> None:
    """Flag statements of health and trends that no read shows."""
    reads = _Reads(check)
    text = check.report.plain
    for clause in check.report.clauses:
        if clause.advice:
            continue
        _check_states(check, reads, clause)
        for found in health_words.EVERYTHING.finditer(text, clause.start, clause.end):
            if not _is_everything_read(check, reads, found[0]) and not _denied(clause, text, found.start()):
                check.flag(*found.span(), "health", "not every service was read as healthy")
        for found in health_words.RECOVERED.finditer(text, clause.start, clause.end):
            if not _is_recovery_read(check, reads) and not _denied(clause, text, found.start()):
                check.flag(*found.span(), "health", "no read and no message says so")
        for found in health_words.TREND.finditer(text, clause.start, clause.end):
            if not _is_trend_read(check, reads, found) and not _denied(clause, text, found.start()):
                check.flag(*found.span(), "health", "no later read shows this")


def _denied(clause: Clause, text: str, at: int) -> bool:
    return bool(health_words.BEFORE_DENIED.search(text, clause.start, at)) or bool(
        re.search(r"\b(?:if|whether|until|once)\b", clause.before, re.I)
    )


def _check_states(check: Check, reads: _Reads, clause: Clause) -> None:
    text = check.report.plain
    known = {service.lower() for service in check.records.services}
    # "payments and search are healthy" is one statement.
    listed = clause.joined == "and" and health_words.NAMES_ONLY.match(clause.before)
    start = clause.start - len(clause.before) if listed else clause.start
    for found in health_words.STATE.finditer(text, start, clause.end):
        if _denied(clause, text, found.start()) or found["be"].strip().lower() in ("was", "were"):
            continue
        before = text[start : found.start()].split()
        bare = not before or before[-1].lower() in (
            "service",
            "services",
            "that",
            "both",
            "while",
            "and",
            "also",
            "but",
            "the",
        )
        for name in re.finditer(r"[\w][\w.-]*", found["subject"]):
            service = name[0].lower().rstrip(".")
            start = found.start("subject") + name.start()
            if service in known or (
                not known and bare and service not in health_words.NO_SERVICE and len(found["subject"].split()) <= 5
            ):
                _check_state(check, reads, found, service, (start, start + len(service)))


def _check_state(check: Check, reads: _Reads, found: re.Match[str], service: str, at: tuple[int, int]) -> None:
    latest = reads.latest.get(service)
    not_known = latest in health_words.UNKNOWN_STATUS and found["good"]
    spared = (found["good"] or "").lower().startswith("no ")
    if (
        not_known
        or (latest in health_words.BAD_STATUS and found["good"] and not spared)
        or (latest in health_words.GOOD_STATUS and found["bad"])
    ):
        check.flag(at[0], found.end(), "health", f"the latest read of {service} says {latest}")
    elif service not in reads.looked and not _is_reported(check, service):
        check.flag(*at, "health", f"no call was about {service}")


def _is_reported(check: Check, service: str) -> bool:
    """Tell whether a result or a message names the service, though no call was about it."""
    name = re.escape(service)
    named = f"(?<![\\w-]){name}(?![\\w-])"
    return check.evidence.reports(f"[\"'=/@]{name}(?![\\w-])") or any(
        re.search(named, text, re.IGNORECASE) for text in check.evidence.words
    )


def _is_everything_read(check: Check, reads: _Reads, claim: str) -> bool:
    healthy = {service for service, status in reads.latest.items() if status in health_words.GOOD_STATUS}
    others = re.search(r"\bother|\belse", claim, re.IGNORECASE)
    if others:
        return len(healthy) > 0
    bad = [service for service, status in reads.latest.items() if status in health_words.BAD_STATUS]
    return bool(reads.looked) and not bad


def _is_recovery_read(check: Check, reads: _Reads) -> bool:
    """Tell whether something was read that may have recovered: a healthy service, a later read or a message."""
    healthy = any(status in health_words.GOOD_STATUS for status in reads.latest.values())
    told = any(health_words.RECOVERY.search(text) for text in check.evidence.words)
    return healthy or told or reads.repeated or check.evidence.reports(health_words.SERIES)


def _is_trend_read(check: Check, reads: _Reads, found: re.Match[str]) -> bool:
    if reads.repeated or check.evidence.reports(health_words.SERIES):
        return True
    if found["what"].lower().split()[-1] in ("that", "it", "which", "there", "this", "they"):
        return True
    if (found["down"] or found["better"]) and any(health_words.RECOVERY.search(text) for text in check.evidence.words):
        return True
    return check.evidence.reports(health_words.TREND_READ) or (
        bool(found["up"]) and len(check.evidence.times.moments) > 4
    )
