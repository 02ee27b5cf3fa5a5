"""Build an ``Alert`` from the fields of a payload. Anyone may have written them, so each is cleaned and capped.

An alert has at most ``MAX_BYTES`` as JSON. The caps below guarantee it: a character that passes the cleaning takes at
most twice its bytes in JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from watchkeeper.alerts.plain_text import printable, printable_line
from watchkeeper.alerts.severity import normalize
from watchkeeper.contracts import MAX_AHEAD, Alert, AlertReason
from watchkeeper.text import cap, excerpt

MAX_BYTES = 32_000

_TITLE_CHARS = 300
_DESCRIPTION_BYTES = 3_000
_NAME_BYTES = 100
_VALUE_BYTES = 300
_LABELS = 60
_LABELS_BYTES = 6_000
_LINKS = 8
_LINK_CHARS = 1_000

_ADDRESS = re.compile(r"https?://[!#-;=?-\[\]_a-z~%]+", re.IGNORECASE)


def make_alert(
    source: str,
    *,
    now: float,
    group: str,
    fingerprint: str,
    status: Literal["firing", "resolved"],
    title: str,
    description: str = "",
    starts_at: int | None = None,
    ends_at: int | None = None,
    episode: str | None = None,
    as_of: int | None = None,
    late_for: float | None = None,
    message: str | None = None,
    occasion: AlertReason | None = None,
    severity: str | None = None,
    service: str | None = None,
    team: str | None = None,
    labels: Mapping[str, str] | None = None,
    links: Mapping[str, str | None] | None = None,
) -> Alert:
    """Build an alert.

    Times are Unix microseconds, except ``now``: Unix seconds. Use ``identity`` for ``group``, ``fingerprint`` and
    ``episode``. ``as_of``, ``late_for`` and ``message`` say which firing it is about: see ``Alert``.
    """
    fields = {
        "source": source,
        "group": group,
        "fingerprint": fingerprint,
        "status": status,
        "title": _line(title, _TITLE_CHARS * 4)[:_TITLE_CHARS] or "(alert without a title)",
        "episode": episode,
        "starts_at": _not_in_future(starts_at, now),
        "ends_at": _not_in_future(ends_at, now) if status == "resolved" else None,
        "as_of": None if as_of is None or as_of / 1e6 > now + MAX_AHEAD else as_of / 1e6,
        "late_for": late_for,
        "message": message,
        "occasion": occasion,
        "description": excerpt(printable(description).strip(), _DESCRIPTION_BYTES),
        "severity": normalize(_line(severity, _NAME_BYTES)) if severity else None,
        "service": _line(service, _NAME_BYTES),
        "team": _line(team, _NAME_BYTES),
        "labels": _labels(labels or {}),
        "links": _links(links or {}),
    }
    return Alert.model_validate({name: value for name, value in fields.items() if value or name == "late_for"})


def _line(text: str | None, max_bytes: int) -> str:
    return cap(printable_line(text or ""), max_bytes)[0].strip()


def _not_in_future(micros: int | None, now: float) -> float | None:
    return None if micros is None else min(micros / 1e6, now)


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = _LABELS_BYTES
    for name, value in labels.items():
        name, value = _line(name, _NAME_BYTES), excerpt(printable(value), _VALUE_BYTES)
        room -= len(name.encode()) + len(value.encode())
        if room < 0 or len(kept) == _LABELS:
            break
        if name:
            kept[name] = value
    return kept


def _links(links: Mapping[str, str | None]) -> dict[str, str]:
    valid = {name: url.strip() for name, url in links.items() if url and _is_valid_link(url.strip())}
    return {_line(name, _NAME_BYTES): url for name, url in list(valid.items())[:_LINKS]}


def _is_valid_link(url: str) -> bool:
    """Return whether a URL is valid, holds no password, and is short enough. Half of a long URL would be useless."""
    if len(url) > _LINK_CHARS or not _ADDRESS.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and "@" not in parts.netloc
