"""Request and response bodies of the runs API."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from watchkeeper.contracts import AlertOrigin, JsonObject, LimitChanges, Limits, Report, RunInput, RunStatus, Usage
from watchkeeper.runs import start_options
from watchkeeper.text import clean

TEXT_CHARACTERS = 100_000


def _clean(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def _check_length(text: str) -> str:
    if len(text) > TEXT_CHARACTERS:
        raise ValueError(f"{len(text):,} characters are too many; the limit is {TEXT_CHARACTERS:,}")
    return text


Text = Annotated[
    str,
    Field(pattern=r"\S", description=f"Not blank; at most {TEXT_CHARACTERS:,} characters."),
    BeforeValidator(_clean),
    AfterValidator(_check_length),
]
Name = Annotated[str, Field(min_length=1, max_length=150), BeforeValidator(_clean)]
Note = Annotated[str, Field(max_length=10_000), BeforeValidator(_clean)]


class StrictBody(BaseModel):
    """A request body that refuses unknown fields and converts no types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LimitsBody(LimitChanges):
    """Some of the limits of a run."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: object) -> object:
        if isinstance(value, str | bool):
            raise ValueError("should be a number")
        return value


class StartBody(StrictBody):
    """A run to start."""

    text: Text
    service: Name | None = Field(default=None, description="Name in the operator's service catalogue.")
    severity: Name | None = None
    limits: LimitsBody | None = Field(default=None, description="Limits that replace the configured ones.")
    tool_choice: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="auto, none, required, or the name of the tool to call first.",
    )

    def run_input(self) -> RunInput:
        """Return the input of the run."""
        limits = self.limits and LimitChanges.model_validate(self.limits.model_dump(exclude_none=True))
        fields: dict[str, object] = {"text": self.text, "service": self.service, "severity": self.severity}
        fields |= {"limits": limits, "tool_choice": start_options.tool_choice(self.tool_choice)}
        return RunInput.model_validate({name: value for name, value in fields.items() if value is not None})


class TellBody(StrictBody):
    """A message to the agent."""

    text: Text


class DecisionBody(StrictBody):
    """The call to approve or deny, and why."""

    call: Name = Field(description="Key of the call, such as r2.0.")
    note: Note = Field(default="", description="Why; the model reads the note of a denial.")


class StopBody(StrictBody):
    """Why the run should end."""

    reason: Note = ""


class ExtendBody(StrictBody):
    """Limits to raise."""

    limits: LimitsBody = Field(description="By how much to raise each limit.")


class UpdateAccepted(BaseModel):
    """The run accepted an update."""

    run: str
    done: str = Field(description="Answer of the run.")


class RaisedLimits(BaseModel):
    """The new limits of a run."""

    run: str
    limits: Limits


class RunObject(BaseModel):
    """One run in full, as ``watchkeeper show --json`` prints it. More fields may be added."""

    model_config = ConfigDict(extra="allow")

    run: str
    workflow_id: str
    run_id: str
    first_run_id: str
    status: RunStatus
    reason: str | None
    text: str | None
    service: str | None
    severity: str | None
    report: Report | None
    problem: str | None = Field(description="Why the run is stuck: its workflow tasks fail again and again.")
    rounds: int
    tool_calls: list[JsonObject]
    usage: Usage
    limits: Limits | None
    models: list[str]
    acts: list[JsonObject]
    origin: AlertOrigin | None
    alerts: list[JsonObject]
    open: bool
    delivering: list[str]
    undelivered: list[str]
    follow_ups: list[JsonObject]
    started_at: str | None
    closed_at: str | None


class RunListItem(BaseModel):
    """One run in a list."""

    run: str
    workflow_id: str
    run_id: str
    status: RunStatus
    service: str | None
    severity: str | None
    text: str | None
    summary: str | None
    started_at: str
    closed_at: str | None
    unsupported: int | None
    undelivered: list[str]
    paused: bool
    problem: str | None = Field(description="Why the run is stuck: its workflow tasks fail again and again.")


class RunList(BaseModel):
    """Runs, the newest first."""

    runs: list[RunListItem]
