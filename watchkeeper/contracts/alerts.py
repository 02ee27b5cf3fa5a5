"""Alerts, and which group of alerts a run is about."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.base import Contract, RunStatus

AlertReason = Literal["test", "no_data", "renotify"]
"""Why an alert fires although nothing new is wrong: a test notification, missing data, or a reminder."""


class Alert(Contract):
    """One alert as its sender reported it, cleaned and capped. Its texts are untrusted data, never instructions."""

    source: str = Field(description="Name of the source in the operator's settings.")
    group: str = Field(description="What the source groups by: a group has at most one open run.")
    fingerprint: str = Field(description="Identity of the alert within its source, the same each time it fires.")
    status: Literal["firing", "resolved"]
    title: str = Field(description="One line.")
    episode: str | None = Field(
        default=None,
        description="Id of this firing, the same in each repetition; absent: the firing that is open.",
    )
    starts_at: float | None = Field(
        default=None, description="Unix seconds, never later than its arrival; absent: not reported."
    )
    ends_at: float | None = Field(default=None, description="In the same way; absent: not ended, or not reported.")
    occasion: AlertReason | None = Field(default=None, description="Absent: it fires because something is wrong.")
    description: str = ""
    severity: str | None = Field(
        default=None, description="critical, error, warning or info, or the sender's own word in lower case."
    )
    service: str | None = Field(
        default=None, description="Name that the sender uses; it may be missing in the catalogue."
    )
    team: str | None = Field(default=None, description="In the same way.")
    labels: dict[str, str] = Field(default_factory=dict)
    links: dict[str, str] = Field(
        default_factory=dict, description="http(s) addresses by what they link to, such as runbook; never fetched."
    )


class AlertNotification(Contract):
    """The argument of the signal ``alert``: what a sender reports in one request about one group."""

    alerts: list[Alert]
    at: float = Field(description="Unix seconds at which it came.")
    notes: list[str] = Field(default_factory=list, description="Remarks, such as that some alerts were left out.")
    silence: str | None = Field(default=None, description="Address at which a person can silence the alerts that fire.")


class PreviousEpisode(Contract):
    """The episode of the same group before this one."""

    run: str = Field(description="First execution run id.")
    status: RunStatus
    summary: str = Field(description="First line of its report.")
    ended_at: float = Field(description="Unix seconds.")
    began: list[float] = Field(
        default_factory=list, description="When the latest episodes of the group began, in Unix seconds, oldest first."
    )


class AlertOrigin(Contract):
    """Which group of alerts a run is about."""

    source: str = Field(description="Name of the source in the operator's settings.")
    kind: str = Field(description="Kind of the source, such as alertmanager.")
    group: str = Field(description="The same as in each of its alerts.")
    team: str | None = Field(default=None, description="Team in the catalogue that owns the incident.")
    opened_key: str | None = Field(
        default=None,
        description="Deduplication key of the PagerDuty incident that the sender opens for these alerts, if it does.",
    )
    surely_opened: bool = Field(default=False, description="It has opened one; absent: this must be looked up.")
    previous: PreviousEpisode | None = None


class AlertState(Contract):
    """An alert as a run knows it."""

    fingerprint: str
    status: Literal["firing", "resolved"]
    title: str
    severity: str | None = None
    episode: str | None = Field(default=None, description="Of its latest firing.")
    starts_at: float | None = Field(default=None, description="Of its latest firing, in Unix seconds.")
    ends_at: float | None = Field(default=None, description="When that firing ended.")
    again: int = Field(default=0, description="How often it fired again during this run.")
