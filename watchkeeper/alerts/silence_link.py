"""Links to a form in which a person can create a silence (pure). Watchkeeper itself creates no silence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from watchkeeper.contracts import Alert

MAX_URL_CHARACTERS = 3_000
"""Longest URL that chat programs open from a message."""

_FORM = "/#/silences/new?filter="
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def alertmanager_silence_url(alertmanager: str, labels: Mapping[str, str]) -> str | None:
    """Return the URL of Alertmanager's form for a silence that matches these labels.

    None without labels, because that silence would match everything, and None without an http(s) URL.
    """
    if not labels or not alertmanager.startswith(("http://", "https://")):
        return None
    matchers = ", ".join(f"{_quoted_name(name)}={_quoted(labels[name])}" for name in sorted(labels))
    return f"{alertmanager.rstrip('/')}{_FORM}{quote('{' + matchers + '}', safe='=,')}"


def silence_url(kind: str, alerts: Sequence[Alert]) -> str | None:
    """Return the URL at which a person can silence the firing alerts of a group; None if no such URL exists.

    Several alerts of Alertmanager are silenced by their common labels. With other sources only a single alert can be
    silenced.
    """
    firing = {alert.fingerprint: alert for alert in alerts if alert.status == "firing"}
    linked = [alert for alert in firing.values() if alert.links.get("silence")]
    if not linked or len(linked) < len(firing):
        return None
    if len(linked) == 1:
        return _short(linked[0].links["silence"])
    alertmanager, form, _ = linked[0].links["silence"].partition(_FORM)
    if kind != "alertmanager" or not form:
        return None
    common = set.intersection(*(set(alert.labels.items()) for alert in linked))
    return _short(alertmanager_silence_url(alertmanager, dict(common)))


def _short(url: str | None) -> str | None:
    return url if url is not None and len(url) <= MAX_URL_CHARACTERS else None


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _quoted_name(name: str) -> str:
    return name if _NAME.fullmatch(name) else _quoted(name)
