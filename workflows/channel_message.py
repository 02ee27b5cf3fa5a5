"""The one message in a channel that shows the status of a run. The run never waits for it while it investigates."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from activities.announce import AnnounceActivities
    from watchkeeper.contracts import ChannelUpdate, PostedMessage, RunInput
    from watchkeeper.temporal import activity_options

PAUSE = timedelta(seconds=2)
"""Between two updates of a message. Channels accept about one a second; changes during the pause become one update."""

MAX_ALERTS = 20
MAX_CLAIMS = 5
TITLE_CHARACTERS = 200


class ChannelMessage:
    """Posts the message when the run begins, and updates it when its status, alerts or open approvals change."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._posting: asyncio.Task[None] | None = None
        self._announcing: workflow.ActivityHandle[PostedMessage | None] | None = None
        self._is_stale = False
        self._updates = 0

    def request_update(self) -> None:
        """Update the message soon; the run continues meanwhile."""
        if self._state.briefing is None or self._state.briefing.channel is None:
            return
        self._is_stale = True
        if self._posting is None or self._posting.done():
            self._posting = asyncio.create_task(self._post_updates())

    async def wait_until_posted(self) -> PostedMessage | None:
        """Wait until the message shows the latest status, or cannot; None if it could not be posted."""
        if self._posting is not None:
            await self._posting
        return self._state.posted_message

    def give_up(self) -> None:
        """End the update that is under way, if the channel has not accepted it yet. A later one is tried again."""
        if self._posting is not None and not self._posting.done() and self._announcing is not None:
            self._is_stale = False
            self._announcing.cancel()

    async def _post_updates(self) -> None:
        while self._is_stale:
            self._is_stale = False
            self._updates += 1
            try:
                self._announcing = workflow.start_activity_method(
                    AnnounceActivities.announce,
                    self._update(),
                    activity_id=f"announce-{self._updates}",
                    summary=self._state.activity,
                    **(activity_options.ANNOUNCE_LAST if self._state.closed else activity_options.ANNOUNCE),
                )
                self._state.posted_message = await self._announcing
            except ActivityError as error:
                workflow.logger.warning("the run's message could not be updated: %s", error.cause)
            if self._is_stale and not self._state.closed:
                await workflow.sleep(PAUSE, summary="until the message may be updated again")

    def _update(self) -> ChannelUpdate:
        info, state, run_input = workflow.info(), self._state, self._state.input
        assert state.briefing is not None and state.briefing.channel is not None, "only a briefed run has a channel"
        update = ChannelUpdate(
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            channel=state.briefing.channel,
            title=first_line(run_input),
            phase=state.activity,
            status=state.status,
        )
        optional = {
            "service": run_input.service,
            "unknown_service": run_input.origin.unknown_service if run_input.origin else None,
            "severity": run_input.severity,
            "reason": state.outcome.reason if state.outcome else None,
            "summary": state.report.summary if state.report else None,
            "verdict": state.report.verdict if state.report else None,
            "unsupported": state.report.unsupported[:MAX_CLAIMS] if state.report else [],
            "waiting": [record for record in state.tool_calls.records if record.status == "waiting"],
            "alerts": state.episode.states[:MAX_ALERTS],
            "silence": state.silence_url,
            "message": state.posted_message,
        }
        return update.model_copy(update={name: value for name, value in optional.items() if value})


def first_line(run_input: RunInput) -> str:
    """Return the title of a run in a channel: the first line of the alert or question."""
    return run_input.text.partition("\n")[0][:TITLE_CHARACTERS]
