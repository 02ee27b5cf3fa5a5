"""What replaying a history says of the code of today."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias

from watchkeeper.contracts import JsonObject

VerdictKind: TypeAlias = Literal["agrees", "differs", "unreadable", "unknown_workflow", "incomplete", "stuck", "fails"]
"""``differs``: the code does something else than what is recorded; ``unreadable``: it cannot decode what is recorded;
``incomplete``: events are missing; ``stuck``: no answer in time; ``fails``: it raises where it did not."""

REMEDIES: dict[VerdictKind, str] = {
    "differs": "let runs that began the old way go on with it (`if workflow.patched(...)`), "
    "or keep workers of the old version until they are over and record that in docs/decisions/",
    "unreadable": "only add optional fields to what is recorded, with a default that means absent",
    "unknown_workflow": "keep the old name (`@workflow.defn(name=...)`) while a run of it is open",
    "incomplete": "export it again with `watchkeeper history export`",
    "stuck": "look for code that waits for what no history holds, or loops; a slow machine needs a longer --timeout",
    "fails": "mend the code: these runs stand still until a worker that can carry them on comes",
}


@dataclass(frozen=True)
class ReplayVerdict:
    """Whether the code of today does what one history says; if not, where it leaves it, and why."""

    name: str
    """Of the recording: its file, or its run."""
    run: str
    kind: VerdictKind = "agrees"
    event: int | None = None
    event_type: str | None = None
    """As Temporal shows it, such as ActivityTaskScheduled."""
    why: str = ""
    """One sentence; empty where it agrees."""
    said: str = ""
    """The SDK's own words."""

    @property
    def agrees(self) -> bool:
        """Whether a worker of this code can carry the run on."""
        return self.kind == "agrees"

    @property
    def way_out(self) -> str:
        """What can be done about it; empty where it agrees."""
        return REMEDIES.get(self.kind, "")

    @property
    def where(self) -> str:
        """The event at which they part: ``event 42, ActivityTaskScheduled``."""
        return f"event {self.event}, {self.event_type}" if self.event else ""

    def __str__(self) -> str:
        if self.agrees:
            return f"agrees  {self.name}"
        return f"breaks  {self.name}: {': '.join(part for part in (self.where, self.why) if part)}"

    def as_object(self) -> JsonObject:
        """Write it for scripts."""
        return {**asdict(self), "agrees": self.agrees, "way_out": self.way_out}
