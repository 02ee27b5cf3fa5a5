"""Proposing a silence: an address at which a person may make one, never a silence itself (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from watchkeeper.contracts import Alert, AlertOrigin

MAX_URL_CHARACTERS = 3_000
"""Characters that an address may have to be opened from a message."""

_FORM = "/#/silences/new?filter="
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def alertmanager_silence_url(alertmanager: str, labels: Mapping[str, str]) -> str | None:
    """Return the address of Alertmanager's form for a silence of what has these labels.

    None where there is no label, which would silence everything, or no http(s) address.
    """
    if not labels or not alertmanager.startswith(("http://", "https://")):
        return None
    matchers = ", ".join(f"{_quoted_name(name)}={_quoted(labels[name])}" for name in sorted(labels))
    return f"{alertmanager.rstrip('/')}{_FORM}{quote('{' + matchers + '}', safe='=,')}"


def silence_url(origin: AlertOrigin | None, alerts: Sequence[Alert]) -> str | None:
    """Return the address at which a person can silence what fires now of the group that a run is about.

    Several alerts of Alertmanager are silenced by the labels that they have in common; of other sources, only a single
    alert can be. None: there is no such address.
    """
    firing = {alert.fingerprint: alert for alert in alerts if alert.status == "firing"}
    linked = [alert for alert in firing.values() if alert.links.get("silence")]
    if origin is None or not linked or len(linked) < len(firing):
        return None
    if len(linked) == 1:
        return _short(linked[0].links["silence"])
    place, form, _ = linked[0].links["silence"].partition(_FORM)
    if origin.kind != "alertmanager" or not form:
        return None
    common = set.intersection(*(set(alert.labels.items()) for alert in linked))
    return _short(alertmanager_silence_url(place, dict(common)))


def _short(url: str | None) -> str | None:
    return url if url is not None and len(url) <= MAX_URL_CHARACTERS else None


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _quoted_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else _quoted(name)
