"""Heartbeats for every activity, so that a dead worker is noticed in seconds."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from watchkeeper.temporal.activity_options import HEARTBEATS_PER_TIMEOUT


class HeartbeatInterceptor(Interceptor):
    """Sends heartbeats while an activity runs, ``HEARTBEATS_PER_TIMEOUT`` times per heartbeat timeout.

    A heartbeat carries the last detail that the activity reported with ``report_progress``.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Wrap every activity of the worker."""
        return _HeartbeatInbound(next)


class _HeartbeatInbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        timeout = activity.info().heartbeat_timeout
        if timeout is None:
            return await self.next.execute_activity(input)
        heartbeats = _Heartbeats(timeout / HEARTBEATS_PER_TIMEOUT)
        token = _CURRENT.set(heartbeats)
        try:
            return await self.next.execute_activity(input)
        finally:
            _CURRENT.reset(token)
            heartbeats.stop()


def report_progress(detail: object) -> None:
    """Set the detail that the next heartbeats of this activity carry; the server shows it while the activity runs.

    Calls may be frequent: they cause no further heartbeats, and the SDK would not send more either. Without heartbeats,
    the detail is dropped.
    """
    if (heartbeats := _CURRENT.get()) is not None:
        heartbeats.detail = detail


async def confirm_attempt() -> None:
    """Send a heartbeat and wait for the server's response, before an effect that may happen only once.

    A network can deliver a task long after its attempt has timed out and people have read that its outcome is unknown.
    Raises RPCError; its status is NOT_FOUND if the attempt has timed out.
    """
    info = activity.info()
    heartbeat = RecordActivityTaskHeartbeatRequest(namespace=info.namespace, task_token=info.task_token)
    await activity.client().workflow_service.record_activity_task_heartbeat(heartbeat, retry=True)


class _Heartbeats:
    """Heartbeats of the present activity, without a task: most activities end before the first one."""

    def __init__(self, interval: timedelta) -> None:
        self.detail: object = None
        self._seconds = interval.total_seconds()
        self._loop = asyncio.get_running_loop()
        # The timeout counts from the start of the activity.
        self._next = self._loop.call_later(self._seconds, self._send)

    def _send(self) -> None:
        self._next = self._loop.call_later(self._seconds, self._send)
        activity.heartbeat(*([] if self.detail is None else [self.detail]))

    def stop(self) -> None:
        """Stop sending."""
        self._next.cancel()


_CURRENT: ContextVar[_Heartbeats | None] = ContextVar("heartbeats", default=None)
