"""Heartbeats: while an activity runs, and not after it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from watchkeeper.temporal.heartbeat import HeartbeatInterceptor

TIMEOUT = timedelta(seconds=0.06)


class Running(ActivityInboundInterceptor):
    """Runs for a number of seconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def execute_activity(self, input: ExecuteActivityInput) -> str:
        await asyncio.sleep(self._seconds)
        if self._seconds == 0:
            raise ValueError("it fails at once")
        return "done"


async def heartbeats(seconds: float, timeout: timedelta | None = TIMEOUT) -> int:
    """Return how many heartbeats an activity sends that runs for a time, then waits for as long after its end."""
    environment, sent = ActivityEnvironment(), list[object]()
    environment.on_heartbeat = lambda *details: sent.append(details)
    environment.info = replace(ActivityEnvironment.default_info(), heartbeat_timeout=timeout)

    @activity.defn
    async def run() -> None:
        inbound = HeartbeatInterceptor().intercept_activity(Running(seconds))
        try:
            await inbound.execute_activity(ExecuteActivityInput(run, (), None, {}))
        finally:
            during = len(sent)
            await asyncio.sleep(TIMEOUT.total_seconds())
            assert len(sent) == during, "it still sends heartbeats after its end"

    await environment.run(run)
    return len(sent)


async def test_several_heartbeats_are_sent_within_each_timeout() -> None:
    assert await heartbeats(0.5) >= 3


async def test_an_activity_without_a_heartbeat_timeout_sends_none() -> None:
    assert await heartbeats(0.2, timeout=None) == 0


async def test_an_activity_that_fails_sends_no_more() -> None:
    with pytest.raises(ValueError, match="at once"):
        await heartbeats(0)
