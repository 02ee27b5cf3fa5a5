"""Alerts, and which group of alerts a run is about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.base import Contract, RunStatus

AlertReason = Literal["test", "no_data", "renotify"]
"""Why an alert fires though nothing new is known to be wrong: someone tries the way, data is missing, a reminder."""


class Alert(Contract):
    """One alert as its sender told of it: words of strangers, cleaned and capped, never instructions."""

    source: str = Field(description="Name of the source in the operator's settings.")
    group: str = Field(description="What the source groups by: one living run a group.")
    fingerprint: str = Field(description="Identity of the alert within its source, the same each time it fires.")
    status: Literal["firing", "resolved"]
    title: str = Field(description="One line.")
    episode: str | None = Field(
        default=None,
        description="Names this firing of the fingerprint, the same in each repetition; absent: whichever is open.",
    )
    starts_at: float | None = Field(
        default=None, description="Unix seconds, never later than its arrival; absent: the sender does not say."
    )
    ends_at: float | None = Field(default=None, description="Likewise; absent: not ended, or not said.")
    occasion: AlertReason | None = Field(default=None, description="Absent: it fires because something is wrong.")
    description: str = ""
    severity: str | None = Field(
        default=None, description="critical, error, warning or info, or the sender's own word in lower case."
    )
    service: str | None = Field(default=None, description="As the sender calls it, which need not be in the catalogue.")
    team: str | None = Field(default=None, description="Likewise.")
    labels: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str] = Field(
        default_factory=dict, description="http(s) addresses by what they lead to, such as runbook; never fetched."
    )


class AlertNotification(Contract):
    """The argument of the signal ``alert``: what a sender said at once about one group."""

    alerts: list[Alert]
    at: float = Field(description="Unix seconds at which it came.")
    notes: list[str] = Field(default_factory=list, description="What to know besides, such as that some were left out.")
    silence: str | None = Field(default=None, description="Address at which a person can silence what fires of them.")


class PreviousEpisode(Contract):
    """The episode of the same group before this one."""

    run: str = Field(description="First execution run id.")
    status: RunStatus
    summary: str = Field(description="Of its report.")
    ended_at: float = Field(description="Unix seconds.")
    began: list[float] = Field(
        default_factory=list, description="When the latest episodes of the group began, in Unix seconds, in order."
    )


class AlertOrigin(Contract):
    """Which group of alerts a run is about."""

    source: str = Field(description="Name of the source in the operator's settings.")
    kind: str = Field(description="What kind of source that is, such as alertmanager.")
    group: str = Field(description="As in each of its alerts.")
    team: str | None = Field(default=None, description="In the catalogue: whose incident this is.")
    previous: PreviousEpisode | None = None


class AlertState(Contract):
    """An alert as a run knows it."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    title: str
    severity: str | None = None
    episode: str | None = Field(default=None, description="Of its latest firing.")
    starts_at: float | None = Field(default=None, description="Of its latest firing, in Unix seconds.")
    ends_at: float | None = Field(default=None, description="When that was over.")
    again: int = Field(default=0, description="How often it fired again within this run.")
