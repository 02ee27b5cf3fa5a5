"""The one message in a channel that tells how a run stands: kept true, never waited for."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.alert_signal import Alerted

with workflow.unsafe.imports_passed_through():
    from activities.announce import AnnounceActivities
    from watchkeeper.contracts import ChannelUpdate, PostedMessage, RunInput
    from watchkeeper.temporal import activity_options

PAUSE = timedelta(seconds=2)
"""Between two changes of a message: what happens meanwhile is one change, and channels take about one a second."""

ALERTS = 20
TITLE_CHARACTERS = 200


class Announced(Alerted):
    """A run whose message is changed when it begins, waits for people, reports, and when its alerts change."""

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._message = given.carried.message if given.carried else None
        self._announcing: asyncio.Task[None] | None = None
        self._outdated = False
        self._announcements = 0

    def _waiting_changed(self) -> None:
        self._announce()

    def _alerts_changed(self) -> None:
        self._announce()

    def _announce(self) -> None:
        """Have the message tell how the run stands, soon; the run goes on meanwhile."""
        if self._briefing is None or self._briefing.channel is None:
            return
        self._outdated = True
        if self._announcing is None or self._announcing.done():
            self._announcing = asyncio.create_task(self._keep_true())

    async def _posted(self) -> PostedMessage | None:
        """Wait until the message tells the last of it, or cannot; None if it could not be posted."""
        if self._announcing is not None:
            await self._announcing
        return self._message

    async def _keep_true(self) -> None:
        while self._outdated:
            self._outdated = False
            self._announcements += 1
            try:
                self._message = await workflow.execute_activity_method(
                    AnnounceActivities.announce,
                    self._announcement(),
                    activity_id=f"announce-{self._announcements}",
                    summary=self._phase,
                    **activity_options.ANNOUNCE,
                )
            except ActivityError as error:
                workflow.logger.warning("the run's message could not be changed: %s", error.cause)
            if self._outdated and not self._over:
                await workflow.sleep(PAUSE, summary="until the message may change again")

    def _announcement(self) -> ChannelUpdate:
        info, given, ending = workflow.info(), self._given, self._ending
        assert self._briefing is not None and self._briefing.channel is not None, "only a briefed run has a channel"
        made = ChannelUpdate(
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            channel=self._briefing.channel,
            title=given.text.partition("\n")[0][:TITLE_CHARACTERS],
            phase=self._phase,
            status=ending.status if ending else "running",
        )
        said = {
            "service": given.service,
            "severity": given.severity,
            "reason": ending.reason if ending else None,
            "summary": self._report.summary if self._report else None,
            "waiting": [record for record in self._calls.records if record.status == "waiting"],
            "alerts": self._episode.states[:ALERTS],
            "silence": self._silence,
            "message": self._message,
        }
        return made.model_copy(update={name: value for name, value in said.items() if value})
