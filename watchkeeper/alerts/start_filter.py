"""The operator's filters for alerts that start a run: by severity, labels and reason."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from watchkeeper.alerts.severity import is_known, normalize
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

_REASONS = {"test": "it is a test", "no_data": "it says that data is missing", "renotify": "it is a reminder"}


def reason_not_to_start(alert: Alert, section: SourceSection) -> str | None:
    """Return why an alert does not start a run, as one of a few fixed texts; None if it does.

    An alert that starts no run is still sent to the open run of its group.
    """
    if alert.status == "resolved":
        return "it is resolved"
    if alert.occasion and alert.occasion not in section.also:
        return _REASONS[alert.occasion]
    if alert.severity is None:
        if not section.without_severity:
            return "it has no severity"
    elif not _is_listed(alert.severity, section):
        if is_known(alert.severity):
            return "its severity starts no run"
        if not section.unknown_severity:
            return "its severity is not known"
    if any(_matches(alert, label, patterns) for label, patterns in section.ignore.items()):
        return "its labels are ignored"
    if not all(_matches(alert, label, patterns) for label, patterns in section.labels.items()):
        return "its labels do not match"
    return None


def unknown_severities(alerts: Iterable[Alert], section: SourceSection) -> list[str]:
    """Return the severities of firing alerts that are not known and that the settings do not list, each once."""
    firing = [alert.severity for alert in alerts if alert.status == "firing" and alert.severity]
    return [name for name in dict.fromkeys(firing) if not is_known(name) and not _is_listed(name, section)]


def _is_listed(severity: str, section: SourceSection) -> bool:
    return severity in map(normalize, section.severities)


def _matches(alert: Alert, label: str, patterns: list[str]) -> bool:
    """Match a label with shell patterns, which are fast for any input. An absent label is empty."""
    return any(fnmatchcase(alert.labels.get(label, ""), pattern) for pattern in patterns)
