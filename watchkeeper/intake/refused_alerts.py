"""Notes about alerts that the intake does not accept, so that people are paged if they are not sent again."""

from __future__ import annotations

from typing import Any, Protocol

from watchkeeper.alerts.source import ParsedPayload, Source


class RefusedAlerts(Protocol):
    """Notes what the intake has not accepted."""

    async def note_group(self, source: Source[Any], payload: ParsedPayload, *, closing: bool) -> None:
        """Note a group whose sender is answered 503, until Temporal has accepted it.

        ``closing``: the last run of the group had not closed; otherwise Temporal has not answered in time.
        """

    async def note_body(self, source: Source[Any], problem: str) -> None:
        """Note a body of a proven sender that is answered 413: it will not be sent again."""


class NotNoted:
    """For an intake without a watchdog."""

    async def note_group(self, source: Source[Any], payload: ParsedPayload, *, closing: bool) -> None:
        """Do nothing."""

    async def note_body(self, source: Source[Any], problem: str) -> None:
        """Do nothing."""
