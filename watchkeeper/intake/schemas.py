"""What people's programs ask over HTTP, and the forms in which runs are answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from watchkeeper.contracts import AlertOrigin, JsonObject, LimitChanges, Limits, Report, RunInput, Usage
from watchkeeper.runs import start_options
from watchkeeper.text import clean

TEXT_CHARACTERS = 100_000


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


def _within(text: str) -> str:
    if len(text) > TEXT_CHARACTERS:
        raise ValueError(f"{len(text):,} characters are too many; at most {TEXT_CHARACTERS:,} can be sent")
    return text


Text = Annotated[
    str,
    Field(pattern=r"\S", description=f"Says something, in at most {TEXT_CHARACTERS:,} characters."),
    BeforeValidator(_cleaned),
    AfterValidator(_within),
]
Word = Annotated[str, Field(min_length=1, max_length=150), BeforeValidator(_cleaned)]
Note = Annotated[str, Field(max_length=10_000), BeforeValidator(_cleaned)]


class StrictBody(BaseModel):
    """A body in which nothing stands that is not known, and no value is bent to fit."""

    model_config = ConfigDict(extra="forbid", strict=True)


class LimitsBody(LimitChanges):
    """Some of the limits."""

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
    service: Word | None = Field(default=None, description="Name in the operator's service catalogue.")
    severity: Word | None = None
    limits: LimitsBody | None = Field(default=None, description="Replaces the configured limits one by one.")
    tool_choice: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z0-9_-]{1,64}$",
        description="auto, none, required, or the name of a tool to begin with.",
    )

    def given(self) -> RunInput:
        """Return what the run is started with."""
        limits = self.limits and LimitChanges.model_validate(self.limits.model_dump(exclude_none=True))
        facts: dict[str, object] = {"text": self.text, "service": self.service, "severity": self.severity}
        facts |= {"limits": limits, "tool_choice": start_options.tool_choice(self.tool_choice)}
        return RunInput.model_validate({name: fact for name, fact in facts.items() if fact is not None})


class TellBody(StrictBody):
    """Words to the model."""

    text: Text


class DecisionBody(StrictBody):
    """A call that waits, and why it is approved or denied."""

    call: Word = Field(description="Key of the call, such as r2.0.")
    note: Note = Field(default="", description="The model reads it when a call is denied.")


class StopBody(StrictBody):
    """Why a run is to end."""

    reason: Note = ""


class ExtendBody(StrictBody):
    """What a run is to get more of."""

    limits: LimitsBody = Field(description="By how much to raise each.")


class UpdateAccepted(BaseModel):
    """A run took what a person did."""

    run: str
    done: str = Field(description="What the run says of it.")


class RaisedLimits(BaseModel):
    """The limits of a run by now."""

    run: str
    limits: Limits


class RunObject(BaseModel):
    """One run whole, as ``watchkeeper show --json`` prints it; more fields may follow."""

    model_config = ConfigDict(extra="allow")

    run: str
    workflow_id: str
    run_id: str
    first_run_id: str
    status: str
    reason: str | None
    text: str | None
    service: str | None
    severity: str | None
    report: Report | None
    rounds: int
    tool_calls: list[JsonObject]
    usage: Usage
    limits: Limits | None
    models: list[str]
    acts: list[JsonObject]
    origin: AlertOrigin | None
    alerts: list[JsonObject]
    open: bool
    follow_ups: list[JsonObject]
    started_at: str | None
    closed_at: str | None


class RunListItem(BaseModel):
    """One run as lists show it."""

    run: str
    workflow_id: str
    run_id: str
    status: str
    service: str | None
    severity: str | None
    text: str | None
    summary: str | None
    started_at: str
    closed_at: str | None


class RunList(BaseModel):
    """Runs, the newest first."""

    runs: list[RunListItem]
