"""What a run is about, as code knows it, and which teams it may page."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract


class Incident(Contract):
    """What every page says first. Code writes it from the alerts and the results; the model cannot change it."""

    title: str = Field(description="Title of the worst alert, or the first line of the question.")
    service: str | None = None
    unknown_service: str | None = Field(
        default=None, description="What the alerts call a service that the catalogue does not name."
    )
    severity: str | None = Field(default=None, description="Of the worst alert; absent: a person asked.")
    links: dict[str, str] = Field(
        default_factory=dict, description="http(s) addresses by what they link to, such as runbook or silence."
    )
    measured: list[str] = Field(default_factory=list, description="Results of the latest reads, in short.")
    opened_key: str | None = Field(
        default=None,
        description="Deduplication key of the PagerDuty incident that the alerting system opens; absent: none.",
    )
    surely_opened: bool = Field(default=False, description="It has opened one; absent: this must be looked up.")
    is_open: bool = Field(
        default=False, description="That incident was open when the run began: a person was paged already."
    )
    opened_number: str | None = Field(default=None, description="Its number, such as INC-4827; absent: unknown.")


class PageRules(Contract):
    """Which teams the model may page, and when. A page that breaks a rule is refused, or waits for approval."""

    incident: Incident
    owners: dict[str, str] = Field(default_factory=dict, description="Team that owns each service of the catalogue.")
    others: list[str] = Field(default_factory=list, description="Teams of the catalogue that own no service.")
    teams: list[str] = Field(
        default_factory=list,
        description="Teams that need no approval. Empty: the owner of each service that a read was about.",
    )
    unowned: bool = Field(
        default=False,
        description="No team owns the service that the alerts name: a page to a team outside teams needs approval.",
    )
    on_call: str | None = Field(
        default=None, description="Team that a page of the run itself reaches; absent: none can be paged, or unknown."
    )
    approval: float = Field(description="Seconds to wait for the approval of a page to another team.")
    look_first: str = Field(description="Text for the model when it pages before any read has succeeded.")


class PageRecord(Contract):
    """A page that was sent."""

    team: str
    incident: str | None = Field(default=None, description="Number of the incident, such as INC-4827; absent: unknown.")
