"""Heartbeats for every activity, so that a dead worker is noticed in seconds."""

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
    """Sends heartbeats while an activity runs, ``HEARTBEATS_PER_TIMEOUT`` times per heartbeat timeout."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity of the worker."""
        return _HeartbeatInbound(next)


class _HeartbeatInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if timeout is None:
            return await self.next.execute_activity(input)
        heartbeats = asyncio.create_task(_send_heartbeats(timeout / HEARTBEATS_PER_TIMEOUT))
        try:
            return await self.next.execute_activity(input)
        finally:
            heartbeats.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeats


async def confirm_attempt() -> None:
    """Send a heartbeat and wait for the server's response, before an effect that may happen only once.

    A network can deliver a task long after its attempt has timed out and people have read that its outcome is unknown.
    Raises RPCError; its status is NOT_FOUND if the attempt has timed out.
    """
    info = activity.info()
    heartbeat = RecordActivityTaskHeartbeatRequest(namespace=info.namespace, task_token=info.task_token)
    await activity.client().workflow_service.record_activity_task_heartbeat(heartbeat, retry=True)


async def _send_heartbeats(interval: timedelta) -> None:
    while True:
        # The timeout counts from the start of the activity. Most activities end before the first heartbeat.
        await asyncio.sleep(interval.total_seconds())
        activity.heartbeat()
