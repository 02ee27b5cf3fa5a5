"""A run's turn to investigate."""

from __future__ import annotations

from collections.abc import Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Turns


class Turn:
    """The turn of one run."""

    def __init__(self) -> None:
        self.taken_at: float | None = None

    def admit(self, token: str) -> None:
        """Take the turn."""

    async def wait(self, turns: Turns, until: Callable[[], bool]) -> bool:
        """Wait for the turn."""
        self.taken_at = workflow.time()
        return True

    async def leave(self, turns: Turns) -> None:
        """Give it back."""
