"""What alerts do to a run: they start it, join it, and are over."""

from __future__ import annotations

from temporalio import workflow

from workflows.handlers import Attended

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import AlertNotification, Briefing, RunInput
    from watchkeeper.incident import alert_text
    from watchkeeper.incident.episode import Episode

NOTES = 20


class Alerted(Attended):
    """The signal by which alerts reach a run, and what they mean for it."""

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        carried = given.carried
        self._episode = Episode(carried.alerts, carried.unread) if carried else Episode()
        self._reported = carried.reported if carried else None
        self._briefing = carried.briefing if carried else None
        self._silence = carried.silence if carried else None
        self._notes = list(carried.notes) if carried else []
        self._changes = 0
        self._looked = self._reported.looked if self._reported else 0

    @workflow.signal
    def alert(self, told: AlertNotification) -> None:
        """Take what a sender says of the group.

        A signal, as it must be taken while no worker is there to answer. It may be late, twice and out of order.
        """
        self._silence = told.silence or self._silence
        if self._episode.apply(told):
            self._notes = [*self._notes, *told.notes][-NOTES:]
            self._changes += 1
            self._alerts_changed()

    def _alerts_changed(self) -> None:
        """Hear that an alert fires or is over."""

    def _news(self, briefing: Briefing) -> list[str]:
        """Give what the model is to read of the alerts since it was last asked, in words."""
        follow_ups = briefing.follow_ups
        if follow_ups is None or not self._episode.unread:
            return []
        if self._reported is None and self._episode.recovered_at is not None:
            introduction = follow_ups.recovered
        elif self._reported is None and self._budget is not None and self._budget.spent.rounds == 0:
            introduction = follow_ups.began
        else:
            introduction = follow_ups.changed
        notes, self._notes = self._notes, []
        return [alert_text.for_model(self._episode.take_unread(), introduction, notes)]

    def _presses(self, briefing: Briefing) -> bool:
        """Tell whether there is something that the model must read before it has concluded.

        People's words always; alerts that join, or the recovery, so many times: a flapping group would never end it.
        """
        if self._words:
            return True
        follow_ups, episode = briefing.follow_ups, self._episode
        news = episode.joined > 0 if episode.recovered_at is None else self._reported is None and bool(episode.unread)
        if follow_ups is None or not news or self._looked >= follow_ups.alerts:
            return False
        self._looked += 1
        return True
