"""Wait for a condition in a task that must finish although a person cancels the run."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow


async def wait_although_cancelled(fn: Callable[[], bool], seconds: float | None = None, summary: str = "") -> bool:
    """Wait until ``fn()`` is true; False if it is not within ``seconds``.

    The SDK lets a wait end with CancelledError in every task of a run, once the run is cancelled: not only in the main
    task. A wait that begins after that is not affected.
    """
    deadline = None if seconds is None else workflow.time() + seconds
    try:
        return await _wait(fn, seconds, summary)
    except asyncio.CancelledError:
        if workflow.cancellation_reason() is None:  # a worker evicts the run from its cache
            raise
    return fn() or await _wait(fn, None if deadline is None else max(0.0, deadline - workflow.time()), summary)


async def _wait(fn: Callable[[], bool], seconds: float | None, summary: str) -> bool:
    timeout = None if seconds is None else timedelta(seconds=seconds)
    try:
        await workflow.wait_condition(fn, timeout=timeout, timeout_summary=summary or None)
    except builtins.TimeoutError:
        return False
    return True
