"""What workers publish for the places where people start runs, so that a mistake is found where it is typed."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract


class WorkerCatalogue(Contract):
    """The names that a run of a worker may use, and when a worker published them."""

    version: str = Field(description="Version of Watchkeeper.")
    published_at: float = Field(description="Unix seconds of the latest publication by a worker that runs.")
    services: list[str] | None = Field(default=None, description="Absent: a run may name any service.")
    tools: list[str] | None = Field(default=None, description="Tools that a run may force; absent: any.")
    unpriced: list[str] = Field(
        default_factory=list, description="Models without prices, with which no run can have a limit on cost."
    )
    ended: bool = Field(default=False, description="A worker that published it has ended since.")


class PublishedCatalogues(Contract):
    """The catalogues of the workers of one task queue. During a deploy there are several, the newest first."""

    catalogues: list[WorkerCatalogue]
