"""One attempt of an activity, whole: what it was given, what came of it, and what was learnt while it ran."""

from __future__ import annotations

import re
from dataclasses import dataclass

from temporalio.activity import Info
from temporalio.exceptions import ApplicationError

from watchkeeper.contracts import ModelRequest, ToolRequest
from watchkeeper.telemetry.activity_context import Attempt

_ROUND = re.compile(r"\br(\d+)")


@dataclass(frozen=True)
class Step:
    """An attempt that is over; times in Unix nanoseconds."""

    info: Info
    given: object
    """The activity's argument."""
    result: object
    error: BaseException | None
    attempt: Attempt
    began: int
    ended: int

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.ended - self.began) / 1e9

    @property
    def tool(self) -> str | None:
        """The tool that it ran, if it did."""
        return self.info.activity_type if isinstance(self.given, ToolRequest) else None

    @property
    def asked(self) -> bool:
        """Whether it asked the model."""
        return isinstance(self.given, ModelRequest)

    @property
    def round(self) -> int | None:
        """The round that it belongs to; None outside of rounds."""
        found = _ROUND.search(self.info.activity_id)
        return int(found[1]) if found else None

    @property
    def failure(self) -> str | None:
        """The type of its error, of a set that is closed but for what tools of others raise; None: it did not fail."""
        match self.error:
            case None:
                return None
            case ApplicationError(type=str(kind)):
                return kind
            case error:
                return type(error).__name__
