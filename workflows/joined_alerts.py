"""The alerts that join after the report: which still need an answer, and what is sent if no investigation gives one."""

from __future__ import annotations

from temporalio import workflow

from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from watchkeeper.alerts.severity import worst_severity
    from watchkeeper.contracts import AlertState, FollowUpSettings, FollowUpState, ReportDelivery, severity_rank
    from watchkeeper.incident import joined_notice

NOTICE_INTERVAL = 900.0
"""Least seconds between two notices about alerts that are not investigated: alerts that join meanwhile share one."""

LAST_URGENT = 3
"""Rank of an unknown severity, which may be serious. Warnings and infos have higher numbers."""


class JoinedAlerts:
    """Accounts for each alert that joins after the report until people have an answer or a page about it.

    The memo ``joined`` says since when an alert has waited for that; the watchdog pages for it at its deadline. It does
    nothing in runs that a version without these rules briefed.
    """

    def __init__(self, state: RunState) -> None:
        self._state = state

    def publish(self) -> None:
        """Record in the memo since when alerts have waited, if that changed."""
        state, follow_up = self._state, self._state.follow_up
        if self._settings() is None or follow_up is None:
            return
        unread = state.episode.joined > 0 and state.episode.firing > 0
        waits = unread or bool(follow_up.joined or follow_up.unaccepted)
        if waits != (follow_up.waiting_since is not None):
            since = workflow.time() if waits else None
            state.follow_up = follow_up.model_copy(update={"waiting_since": since})
            workflow.upsert_memo({"joined": since})

    def take(self, *, unread: bool) -> list[AlertState]:
        """Return the alerts of the follow-up that has ended; with ``unread`` also the alerts that it did not read."""
        state, follow_up = self._state, self._follow_up()
        late = state.episode.joined_alerts if unread else []
        joined = dict.fromkeys(follow_up.joined)
        for one in late:
            joined.pop(one.fingerprint, None)
        read = [one for one in state.episode.states if one.fingerprint in joined]
        state.follow_up = follow_up.model_copy(update={"joined": []})
        if unread:
            state.episode.take_unread()
        return _worst_first([*read, *late]) if self._settings() is not None else []

    def address(self, delivery: ReportDelivery, alerts: list[AlertState]) -> ReportDelivery:
        """Make a delivery one about joined alerts: if no destination accepts it, people are paged."""
        if not alerts:
            return delivery
        follow_up = self._follow_up()
        unaccepted = [*follow_up.unaccepted, delivery.follow_up]
        self._state.follow_up = follow_up.model_copy(update={"unaccepted": unaccepted})
        severity = worst_severity(*(alert.severity for alert in alerts))
        return joined_notice.addressed(delivery, alerts, severity)

    def accepted(self, number: int) -> None:
        """Record that people have received the answer with this number."""
        follow_up = self._follow_up()
        left = [one for one in follow_up.unaccepted if one != number]
        self._state.follow_up = follow_up.model_copy(update={"unaccepted": left})
        self.publish()

    def seconds_to_notice(self) -> float | None:
        """Return when a notice about alerts that no follow-up investigates is due; None if there is nothing to say."""
        state, settings, follow_up = self._state, self._settings(), self._state.follow_up
        if settings is None or follow_up is None or not state.episode.joined or not state.episode.firing:
            return None
        if state.alert_looks < settings.alerts:
            return None
        last = follow_up.noticed_at
        return 0.0 if last is None else max(0.0, last + NOTICE_INTERVAL - workflow.time())

    def take_unnoticed(self) -> list[AlertState]:
        """Return the alerts for the notice that is due, and count it. The model can still read about them."""
        state, follow_up = self._state, self._follow_up()
        alerts = state.episode.take_joined()
        noticed = dict.fromkeys([*follow_up.noticed, *(alert.fingerprint for alert in alerts)])
        state.follow_up = follow_up.model_copy(
            update={
                "follow_ups": follow_up.follow_ups + 1,
                "noticed": list(noticed),
                "noticed_at": workflow.time(),
            }
        )
        return _worst_first(alerts)

    @staticmethod
    def is_urgent(alerts: list[AlertState]) -> bool:
        """Tell whether one of the alerts is more serious than a warning, or may be."""
        return any(severity_rank(alert.severity) <= LAST_URGENT for alert in alerts)

    def _settings(self) -> FollowUpSettings | None:
        settings = self._state.briefing.follow_ups if self._state.briefing else None
        return settings if settings is not None and settings.pages else None

    def _follow_up(self) -> FollowUpState:
        assert self._state.follow_up is not None, "only an open run has follow-ups"
        return self._state.follow_up


def _worst_first(alerts: list[AlertState]) -> list[AlertState]:
    return sorted(alerts, key=lambda alert: severity_rank(alert.severity))
