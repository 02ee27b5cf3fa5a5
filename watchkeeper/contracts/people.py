"""What people do to a run: the arguments of its updates."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract
from watchkeeper.contracts.limits import LimitChanges


class Decision(Contract):
    """A person's decision on a call that waits for approval."""

    call: str = Field(description="Key of the call, such as r3.0.")
    approved: bool
    by: str = ""
    note: str = ""


class TellRequest(Contract):
    """A message of a person to the model, which reads it in the next round."""

    text: str
    by: str = ""


class StopRequest(Contract):
    """A person ends the run; its hand-off report is still delivered."""

    reason: str = ""
    by: str = ""


class ExtendRequest(Contract):
    """By how much to raise the limits of a run."""

    by: LimitChanges
    who: str = Field(default="", description="The person who extends the run.")
