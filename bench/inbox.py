"""How a run of a contender takes alerts: a signal appends to a list, which the run reads when it is free."""

from __future__ import annotations

from temporalio import workflow


class Inbox:
    """The base of a workflow that takes alerts."""

    def __init__(self) -> None:
        self._alerts: list[str] = []

    @workflow.signal
    def alert(self, text: str) -> None:
        """Take one alert."""
        self._alerts.append(text)

    async def next_alerts(self) -> str:
        """Wait for alerts. Return all that came since the last time."""
        await workflow.wait_condition(lambda: bool(self._alerts))
        text, self._alerts = "\n".join(self._alerts), []
        return text
