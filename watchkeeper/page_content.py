"""What a page says: first the facts that code knows, then the model's text, marked as such (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from watchkeeper.alerts.severity import PagerDutySeverity, page_severity
from watchkeeper.contracts import Incident
from watchkeeper.incident.phrases import service_phrase
from watchkeeper.text import clean, one_line

SUMMARY_CHARACTERS = 1_024
"""Longest summary that PagerDuty accepts."""

TITLE_CHARACTERS = 300
MEASURED_CHARACTERS = 420
"""How much of the summary the title and the measured figures may take. The rest is for the reason or the model."""

DETAIL_CHARACTERS = 4_000
MAX_LINKS = 10
LINK_CHARACTERS = 3_000

MODEL = "the model: "
_SEPARATOR = " · "
_LINK_NAMES = {"source": "Alert", "event": "Alert", "issue": "Alert"}
"""What people call a link, where its sender calls it otherwise."""


@dataclass(frozen=True)
class PageContent:
    """The content of one page."""

    summary: str
    """1 to 1,024 characters."""
    severity: PagerDutySeverity
    details: dict[str, str]
    links: dict[str, str] = field(default_factory=dict)
    """http(s) addresses by the text that people click on."""
    run_url: str | None = None


def page_content(
    incident: Incident,
    details: Mapping[str, str | None],
    *,
    reason: str = "",
    model_says: str = "",
    run_url: str | None = None,
) -> PageContent:
    """Write a page.

    Args:
        incident: What code knows. It comes first.
        details: Further details for people, such as the id of the run; None is left out.
        reason: Why people are paged, if code decided it.
        model_says: The model's text.
        run_url: Web address of the run.
    """
    service = service_phrase(incident.service, incident.unknown_service)
    measured = one_line("; ".join(reversed(incident.measured)), MEASURED_CHARACTERS)
    parts = [
        one_line(incident.title, TITLE_CHARACTERS),
        service or "",
        incident.severity or "",
        one_line(reason, SUMMARY_CHARACTERS),
        f"measured: {measured}" if measured else "",
        f"{MODEL}{one_line(model_says, SUMMARY_CHARACTERS)}" if model_says.strip() else "",
    ]
    known = {
        **details,
        "service": service,
        "severity": incident.severity,
        "reason": reason,
        "measured": "\n".join(incident.measured),
        "model_says": model_says,
    }
    run_link = run_url if run_url is not None and is_web_address(run_url) else None
    return PageContent(
        summary=one_line(clean(_SEPARATOR.join(filter(None, parts))), SUMMARY_CHARACTERS) or "(no text)",
        severity=page_severity(incident.severity),
        details={name: clean(value)[:DETAIL_CHARACTERS] for name, value in known.items() if value},
        links=_links(incident, run_link),
        run_url=run_link,
    )


def is_web_address(url: str) -> bool:
    """Return whether a link can be sent: an http(s) address with a host and without blanks or control characters."""
    if not url.startswith(("http://", "https://")) or len(url) > LINK_CHARACTERS:
        return False
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    return bool(host) and url.isprintable() and " " not in url


def _links(incident: Incident, run_url: str | None) -> dict[str, str]:
    links = {"Run": run_url} if run_url else {}
    for name, url in incident.links.items():
        if is_web_address(url) and url not in links.values() and len(links) < MAX_LINKS:
            links.setdefault(_LINK_NAMES.get(name, name.capitalize()), url)
    return links
