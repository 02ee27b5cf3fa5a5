"""A finished attempt of an activity: its argument, its result or error, and what the activity noted while it ran."""

from __future__ import annotations

import re
from dataclasses import dataclass

from temporalio.activity import Info
from temporalio.exceptions import ApplicationError

from watchkeeper.contracts import ModelRequest, ToolRequest
from watchkeeper.telemetry.activity_context import AttemptContext

_ROUND = re.compile(r"\br(\d+)")


@dataclass(frozen=True)
class FinishedAttempt:
    """One attempt of an activity; times in Unix nanoseconds."""

    info: Info
    argument: object
    """The activity's first argument."""
    result: object
    """None if the attempt failed."""
    error: BaseException | None
    context: AttemptContext
    started_ns: int
    ended_ns: int

    @property
    def seconds(self) -> float:
        """Duration."""
        return (self.ended_ns - self.started_ns) / 1e9

    @property
    def tool(self) -> str | None:
        """Name of the tool; None if this was not a tool call."""
        return self.info.activity_type if isinstance(self.argument, ToolRequest) else None

    @property
    def is_model_request(self) -> bool:
        """Whether the activity asked the model."""
        return isinstance(self.argument, ModelRequest)

    @property
    def round(self) -> int | None:
        """The round, from 1; None outside of rounds."""
        found = _ROUND.search(self.info.activity_id)
        return int(found[1]) if found else None

    @property
    def error_type(self) -> str | None:
        """Type of the error; None if the attempt succeeded. Only third-party tools add values to this closed set."""
        match self.error:
            case None:
                return None
            case ApplicationError(type=str(name)):
                return name
            case error:
                return type(error).__name__
