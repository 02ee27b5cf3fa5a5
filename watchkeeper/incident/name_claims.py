"""The check of names: versions, incident numbers, exceptions, methods, pods, hosts, commits, authors (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.quantities import decimal_comma
from watchkeeper.incident.vocabulary import name_patterns

_NEAR = 40
"""Characters before a version that may say that it does not exist yet."""

_SHORT_END = 3
"""Letters after which a name differs from one that was read, such as ``zone-d`` from ``zone-a``."""
_SHORTEST = 3
"""Shorter names before a point are abbreviations."""


def check_citations(check: Check) -> None:
    """Flag cited calls that do not exist, and calls that failed if they are cited as evidence."""
    statuses = {call.key: call.status for call in check.records.calls}
    for found in name_patterns.CITATION.finditer(check.text):
        check.take(*found.span())
        key = found[1]
        if key in check.evidence.results:
            continue
        if key not in statuses:
            check.flag(*found.span(), "citation", "the run has no such call")
        elif statuses[key] != "ok" and not name_patterns.FAILED.search(_sentence(check, found.start())):
            check.flag(*found.span(), "citation", "this call did not succeed")
    check.hide()


def _sentence(check: Check, at: int) -> str:
    start = max(check.text.rfind("\n", 0, at), check.text.rfind(". ", 0, at)) + 1
    end = min((i for i in (check.text.find("\n", at), check.text.find(". ", at)) if i >= 0), default=len(check.text))
    return check.text[start:end]


def check_incidents(check: Check) -> None:
    """Flag numbers of incidents and tickets that were never read."""
    for found in name_patterns.INCIDENT.finditer(check.text):
        prefix, number = found["prefix"], found["number"] or found["bare"]
        if prefix and prefix not in name_patterns.INCIDENT_PREFIXES and "-" not in found[0]:
            continue
        incident = prefix is None or prefix in name_patterns.INCIDENT_PREFIXES
        if not incident and len(number) < 3:
            continue
        known = check.evidence.has_incident(found[0], number) if incident else check.evidence.has_name(found[0])
        if prefix in ("UTF", "SHA", "ISO", "RFC", "HTTP", "TLS", "AES", "RSA", "MD", "CVE", "IPV", "SEV"):
            continue
        check.take(*found.span())
        if not known and incident:
            check.flag(*found.span(), "incident", "no page and no result has this number")
        elif not known and check.is_stated(found.start()):
            check.flag(*found.span(), "name", "no result has this name")
    check.hide()
    for found in name_patterns.HASH_NUMBER.finditer(check.text):
        check.take(*found.span())
        if check.is_stated(found.start()) and found["number"] not in check.evidence.digits:
            check.flag(*found.span(), "incident", "no page and no result has this number")
    check.hide()


def check_dated_versions(check: Check) -> None:
    """Flag versions such as 2026-07-27.3 that were never read."""
    for found in name_patterns.DATED.finditer(check.text):
        check.take(*found.span())
        if check.is_stated(found.start()) and not check.evidence.has_name(found[0]):
            check.flag(*found.span(), "version", "no result has this version")
    check.hide()


def check_versions(check: Check) -> None:
    """Flag versions and addresses that were never read."""
    for found in name_patterns.ADDRESS.finditer(check.text):
        check.take(*found.span())
        if check.is_stated(found.start()) and not check.evidence.has_name(found[0]):
            check.flag(*found.span(), "name", "no result has this address")
    check.hide()
    comma = decimal_comma(check.report.plain)
    for found in name_patterns.VERSION.finditer(check.text):
        if comma and name_patterns.THOUSANDS.fullmatch(found[0]):
            continue
        check.take(*found.span())
        hyphenated = name_patterns.HYPHEN_BEFORE.search(check.text, max(0, found.start() - _NEAR), found.start())
        if hyphenated and check.evidence.has_name(hyphenated[0] + found[0]):
            continue
        if check.evidence.has_version(found[0]) or name_patterns.NEXT_VERSION.search(
            check.report.plain, max(0, found.start() - _NEAR), found.start()
        ):
            continue
        if check.is_stated(found.start()) or name_patterns.BACK_TO.search(
            check.text, max(0, found.start() - 80), found.start()
        ):
            check.flag(*found.span(), "version", "no result has this version")
    check.hide()


def check_names(check: Check) -> None:
    """Flag exceptions, methods, pods, hosts, commits and authors that were never read."""
    for found in name_patterns.AUTHOR.finditer(check.report.plain):
        name = found["name"]
        if (
            not name_patterns.NO_AUTHOR.match(name)
            and not name_patterns.IN_GENERAL.search(check.report.plain, max(0, found.start() - 20), found.start())
            and check.is_stated(found.start("name"))
            and name.casefold() not in check.evidence.tokens
        ):
            check.flag(found.start("name"), found.end("name"), "name", "no result has this author")
    for found in name_patterns.OWN_NAME.finditer(check.text):
        start, end = found.span("name")
        if check.in_code(start) and check.is_stated(start) and not check.evidence.has_name(found["name"]):
            check.take(start, end)
            check.flag(start, end, "name", "no result has this name")
    check.hide()
    for pattern, why in (
        (name_patterns.CHANNEL, "channel"),
        (name_patterns.SOURCE, "file"),
        (name_patterns.HOST, "host"),
        (name_patterns.COMMIT, "commit"),
        (name_patterns.HYPHENATED, "name"),
        (name_patterns.DOTTED, "name"),
        (name_patterns.IDENTIFIER, "name"),
        (name_patterns.CAMEL, "name"),
    ):
        for found in pattern.finditer(check.text):
            if pattern is name_patterns.HYPHENATED and not _is_resource(check, found[0]):
                continue
            if pattern is name_patterns.CAMEL and not _is_identifier(found[0], check.in_code(found.start())):
                continue
            if pattern is name_patterns.DOTTED and found[1] not in check.evidence.beginnings:
                continue
            check.take(*found.span())
            if check.is_stated(found.start()) and not _is_known(check, found):
                check.flag(*found.span(), "name", f"no result has this {why}")
        check.hide()


def check_logged(check: Check) -> None:
    """Flag what is said to be logged and was never read: ``connection_closed`` was logged 3 times."""
    for found in name_patterns.LOGGED.finditer(check.text):
        name = found["name"] or found["after"]
        at = found.start("name") if found["name"] else found.start("after")
        if check.is_stated(at) and not check.evidence.has_name(name):
            check.flag(at, at + len(name), "name", "no result has this name")
            check.take(at, at + len(name))
    check.hide()


def _is_resource(check: Check, name: str) -> bool:
    """Tell whether a name with hyphens names a pod, node or host: checkout-6f7-x2k, but not 5-minute."""
    first, *rest = name.split("-")
    known = name[: -len(rest[-1])] if rest else ""
    if (
        rest
        and len(rest[-1]) <= _SHORT_END
        and (known in check.evidence.beginnings or (len(rest) > 1 and known[:-1] in check.evidence.tokens))
    ):
        return True
    return any(char.isdigit() for part in rest for char in part) and not name_patterns.COMMON_FIRST.match(first)


def _is_identifier(name: str, code: bool) -> bool:
    """Tell whether a word is a name from code: NullPointerException, Cart.checkout, applyPromo in backticks."""
    parts = name.split(".")
    if name_patterns.WORDS.match(name):
        return False
    if len(parts) == 1:
        return bool(name_patterns.HUMPS.search(name)) and (code or bool(name_patterns.FAULT.search(name)))
    if code:
        return bool(name_patterns.HUMPS.search(name)) or name[0].isupper()
    return bool(name_patterns.HUMPS.search(name)) or (
        parts[0][0].isupper()
        and parts[1][0].islower()
        and len(parts[0]) >= _SHORTEST
        and parts[-1] not in name_patterns.ENDINGS
    )


def _is_known(check: Check, found: re.Match[str]) -> bool:
    name = found[0].rstrip("s") if name_patterns.FAULT.search(found[0]) else found[0]
    if check.evidence.has_name(name) or check.evidence.has_name(found[0]):
        return True
    inferred = name_patterns.INFERRED.get(found[0].lower())
    if inferred and inferred.search(check.evidence.text):
        return True
    last = name.split(".")
    if len(last) > 1 and all(check.evidence.has_name(part) for part in last):
        return True
    clause = check.clause(found.start())
    return clause is not None and bool(
        name_patterns.DENIED.search(clause.before[-80:] + check.report.plain[clause.start : found.start()])
    )
