"""Which alerts start a run: the operator's filters, by severity, label and occasion."""

from __future__ import annotations

from fnmatch import fnmatchcase

from watchkeeper.alerts.severity import normalize
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

_OCCASIONS = {"test": "it is a test", "no_data": "it says that data is missing", "renotify": "it is a reminder"}


def reason_not_to_start(alert: Alert, section: SourceSection) -> str | None:
    """Say why an alert does not start a run, in a few words of a closed set; None if it does.

    An alert that starts none still belongs to the run of its group, if one lives.
    """
    if alert.status == "resolved":
        return "it is resolved"
    if alert.occasion and alert.occasion not in section.also:
        return _OCCASIONS[alert.occasion]
    if alert.severity is None:
        if not section.without_severity:
            return "it has no severity"
    elif alert.severity not in map(normalize, section.severities):
        return "its severity starts no run"
    if any(_fits(alert, label, patterns) for label, patterns in section.ignore.items()):
        return "its labels are ignored"
    if not all(_fits(alert, label, patterns) for label, patterns in section.labels.items()):
        return "its labels do not match"
    return None


def _fits(alert: Alert, label: str, patterns: list[str]) -> bool:
    """Match as file names are matched, which unlike a regular expression cannot take long; absent is empty."""
    return any(fnmatchcase(alert.labels.get(label, ""), pattern) for pattern in patterns)
