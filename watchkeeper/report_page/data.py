"""What a page tells of: a run's story, and with it what the story itself lets go as it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.client import Client

from watchkeeper.contracts import AlertState
from watchkeeper.run_view.entries import AlertsChanged, CompactedMessages
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunChange, RunProjection


@dataclass
class Firing:
    """One time that an alert fired; its times are Unix seconds."""

    fingerprint: str
    title: str
    severity: str | None
    began: float
    ended: float | None = None


@dataclass
class Account:
    """A run up to a moment. ``take`` is told of all changes of the story, in order."""

    story: RunView
    at: datetime
    """Up to when it is told."""
    reported_at: datetime | None = None
    """When the model had said what the report says; None where it did not conclude, or not yet."""
    firings: list[Firing] = field(default_factory=list)
    replaced: int = 0
    """Messages that gave way to summaries."""

    @property
    def until(self) -> datetime:
        """When the run was over, or up to when it is told."""
        return self.story.closed_at or self.at

    @property
    def partial(self) -> bool:
        """Whether the server has only the later executions of the run."""
        return self.story.run_input is not None and self.story.run_input.carried is not None

    def take(self, told: RunChange) -> None:
        """Keep what the story does not."""
        match told:
            case RunView() if told.status == "concluded" and self.reported_at is None:
                self.reported_at = told.rounds[-1].answered_at if told.rounds else None
            case AlertsChanged():
                for alert in told.alerts:
                    began = alert.starts_at or told.at.timestamp()
                    ended = None if alert.status == "firing" else alert.ends_at or told.at.timestamp()
                    self._fired(Firing(alert.fingerprint, alert.title, alert.severity, began, ended))
            case CompactedMessages():
                self.replaced += told.replaced
            case _:
                pass

    def complete(self) -> None:
        """Add the alerts that were only told of in what is not kept."""
        known = {firing.fingerprint for firing in self.firings}
        for state in self.story.episode.states:
            if state.fingerprint not in known:
                self.firings.append(_of_state(state, self.story.started_at or self.at))
        for firing in self.firings:  # the clocks of others may run backwards
            firing.ended = None if firing.ended is None else max(firing.began, firing.ended)
        self.firings.sort(key=lambda firing: firing.began)

    def _fired(self, told: Firing) -> None:
        """Keep a firing once: a run that is reset hears again of what it had heard."""
        same = [firing for firing in self.firings if firing.fingerprint == told.fingerprint]
        known = next((f for f in reversed(same) if f.began == told.began or (told.ended and f.ended is None)), None)
        if known is None:
            self.firings.append(told)
        elif told.ended is not None:
            known.ended = told.ended


async def account_of(client: Client, run: str) -> Account:
    """Read a run up to now. Raises NoSuchRun and RPCError."""
    telling = RunProjection(client.data_converter)
    account = Account(telling.view, datetime.now(UTC))
    await read_run(client, run, account.take, telling)
    account.at = datetime.now(UTC)
    account.complete()
    return account


def _of_state(state: AlertState, started_at: datetime) -> Firing:
    began = state.starts_at or state.ends_at or started_at.timestamp()
    return Firing(state.fingerprint, state.title, state.severity, began, state.ends_at)
