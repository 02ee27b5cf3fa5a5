"""Heartbeats for every activity, from entry to exit, so that a dead worker is noticed in seconds."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from watchkeeper.temporal.activity_options import HEARTBEATS_PER_TIMEOUT


class HeartbeatInterceptor(Interceptor):
    """Beats while an activity runs, a few times per heartbeat timeout."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity of the worker."""
        return _HeartbeatInbound(next)


class _HeartbeatInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if timeout is None:
            return await self.next.execute_activity(input)
        beating = asyncio.create_task(_send_heartbeats(timeout / HEARTBEATS_PER_TIMEOUT))
        try:
            return await self.next.execute_activity(input)
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


async def confirm_attempt() -> None:
    """Beat and wait for the server's answer, before what may happen once.

    A network can deliver a task long after its attempt was given up, and people were told that nobody knows of it.
    Raises RPCError, with the status NOT_FOUND when the attempt is not ours any more.
    """
    info = activity.info()
    beat = RecordActivityTaskHeartbeatRequest(namespace=info.namespace, task_token=info.task_token)
    await activity.client().workflow_service.record_activity_task_heartbeat(beat, retry=True)


async def _send_heartbeats(interval: timedelta) -> None:
    while True:
        # The timeout counts from the start, so that most activities end before their first beat is due.
        await asyncio.sleep(interval.total_seconds())
        activity.heartbeat()
