"""The verdict of replaying a history with the current code."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from watchkeeper.contracts import JsonObject

VerdictKind: TypeAlias = Literal["agrees", "differs", "unreadable", "unknown_workflow", "incomplete", "stuck", "fails"]
"""``differs``: the code does something else than the history records. ``unreadable``: it cannot decode a payload.
``incomplete``: events are missing. ``stuck``: the replay did not finish in time. ``fails``: the code raises."""

REMEDIES: dict[VerdictKind, str] = {
    "differs": "keep the old behaviour for runs that began with it (`if workflow.patched(...)`), "
    "or keep workers of the old version until those runs have ended, and record that in docs/decisions/",
    "unreadable": "add only optional fields to recorded types, with a default that means absent",
    "unknown_workflow": "keep the old name (`@workflow.defn(name=...)`) while a run of it is open",
    "incomplete": "export it again with `watchkeeper history export`",
    "stuck": "look for code that loops or waits for an event that never comes; a slow machine needs a longer --timeout",
    "fails": "fix the code: these runs make no progress until a worker can continue them",
}


@dataclass(frozen=True)
class ReplayVerdict:
    """Whether the current code can continue the run of one history; if not, at which event it differs, and why."""

    name: str
    """Name of the history's file or run."""
    run: str
    kind: VerdictKind = "agrees"
    event: int | None = None
    event_type: str | None = None
    """The type of the event, such as ActivityTaskScheduled."""
    why: str = ""
    """One sentence; empty if the verdict is ``agrees``."""
    said: str = ""
    """The message of the SDK."""

    @property
    def agrees(self) -> bool:
        """Whether a worker with this code can continue the run."""
        return self.kind == "agrees"

    @property
    def remedy(self) -> str:
        """How to fix the difference; empty if the verdict is ``agrees``."""
        return REMEDIES.get(self.kind, "")

    @property
    def where(self) -> str:
        """The event at which code and history differ: ``event 42, ActivityTaskScheduled``."""
        return f"event {self.event}, {self.event_type}" if self.event else ""

    def __str__(self) -> str:
        if self.agrees:
            return f"agrees  {self.name}"
        return f"breaks  {self.name}: {': '.join(part for part in (self.where, self.why) if part)}"

    def as_object(self) -> JsonObject:
        """Return the verdict as a JSON object."""
        return {**asdict(self), "agrees": self.agrees, "way_out": self.remedy}
