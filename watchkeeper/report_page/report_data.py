"""What the report is made from: the view of a run, and what that view does not keep while it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.client import Client

from watchkeeper.run_view.entries import AlertsChanged, CompactedMessages
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunChange, RunProjection


@dataclass
class AlertFiring:
    """One firing of an alert; ``end`` is None while it fires."""

    fingerprint: str
    title: str
    severity: str | None
    begin: datetime
    end: datetime | None = None


@dataclass
class ReportData:
    """A run until ``as_of``. ``take`` must get all changes of the run view, in order."""

    run: RunView
    as_of: datetime
    reported_at: datetime | None = None
    """When the model gave its report; None if it has not concluded."""
    firings: list[AlertFiring] = field(default_factory=list)
    compacted_messages: int = 0
    """Number of messages that compaction replaced by summaries."""

    @property
    def until(self) -> datetime:
        """When the run closed; ``as_of`` while it is open."""
        return self.run.closed_at or self.as_of

    @property
    def lacks_beginning(self) -> bool:
        """Whether the server no longer has the first executions of the run."""
        return self.run.run_input is not None and self.run.run_input.carried is not None

    def take(self, change: RunChange) -> None:
        """Keep what the run view does not keep of a change."""
        match change:
            case RunView() if change.status == "concluded" and self.reported_at is None:
                self.reported_at = change.rounds[-1].answered_at if change.rounds else None
            case AlertsChanged():
                for alert in change.alerts:
                    begin = _from_unix(alert.starts_at) or change.at
                    end = None if alert.status == "firing" else _from_unix(alert.ends_at) or change.at
                    self._add(AlertFiring(alert.fingerprint, alert.title, alert.severity, begin, end))
            case CompactedMessages():
                self.compacted_messages += change.replaced
            case _:
                pass

    def complete(self) -> None:
        """Add the alerts known only from the episode's state, and sort the firings by time."""
        known = {firing.fingerprint for firing in self.firings}
        for state in self.run.episode.titled:
            if state.fingerprint not in known:
                begin = _from_unix(state.starts_at or state.ends_at) or self.run.started_at or self.as_of
                end = _from_unix(state.ends_at)
                self.firings.append(AlertFiring(state.fingerprint, state.title, state.severity, begin, end))
        for firing in self.firings:
            if firing.end is not None:  # The clock of an alert's sender may run backwards.
                firing.end = max(firing.begin, firing.end)
        self.firings.sort(key=lambda firing: firing.begin)

    def _add(self, firing: AlertFiring) -> None:
        """Add a firing or close a known one. A run that was reset receives its earlier alerts again."""
        same_alert = [known for known in self.firings if known.fingerprint == firing.fingerprint]
        for known in reversed(same_alert):
            if known.begin == firing.begin or (firing.end is not None and known.end is None):
                known.end = firing.end or known.end
                return
        self.firings.append(firing)


async def read_report_data(client: Client, run: str) -> ReportData:
    """Read a run until now. Raises NoSuchRun and RPCError."""
    projection = RunProjection(client.data_converter)
    data = ReportData(projection.view, datetime.now(UTC))
    await read_run(client, run, data.take, projection)
    data.as_of = datetime.now(UTC)
    data.complete()
    return data


def _from_unix(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
