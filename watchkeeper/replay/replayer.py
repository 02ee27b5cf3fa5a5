"""Replay of many histories: a few at once, each with a timeout. Only those being replayed are in memory."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from functools import cache
from threading import Thread
from typing import TypeVar

from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import Replayer, WorkflowReplayResult

from watchkeeper.replay.command_recorder import RecordingSandbox
from watchkeeper.replay.commands import event_type_name
from watchkeeper.replay.diagnosis import DEADLOCK, explain_replay, explain_timeout
from watchkeeper.replay.history_files import RecordedHistory, find_gap
from watchkeeper.replay.verdict import ReplayVerdict
from watchkeeper.temporal.client import DATA_CONVERTER

T = TypeVar("T")

CONCURRENT_REPLAYS = 2
"""One history is fetched while another one is replayed. More would share the same interpreter."""

REPLAY_TIMEOUT = 120.0
"""Seconds for one history. A second replays about a thousand events, and Temporal ends a history at 51,200."""

_CLOSE_SECONDS = 2.0


async def replay_histories(
    recordings: AsyncIterator[RecordedHistory],
    workflows: Sequence[type],
    *,
    converter: DataConverter = DATA_CONVERTER,
    concurrency: int = CONCURRENT_REPLAYS,
    timeout: float = REPLAY_TIMEOUT,
) -> AsyncIterator[ReplayVerdict]:
    """Yield a verdict on each history as its replay finishes. ``timeout`` is in seconds, for one history."""
    verdicts: asyncio.Queue[ReplayVerdict | None] = asyncio.Queue(concurrency)
    reading = asyncio.Lock()

    async def replay_next() -> None:
        replayer = _RestartingReplayer(workflows, converter, timeout)
        try:
            while (recording := await _next(recordings, reading)) is not None:
                await verdicts.put(await replayer.verdict(recording))
        finally:
            await replayer.close()
            await verdicts.put(None)

    with _SDK_LOG.silent():
        tasks = [asyncio.create_task(replay_next()) for _ in range(concurrency)]
        try:
            for _ in range(concurrency):
                while (verdict := await verdicts.get()) is not None:
                    yield verdict
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(recordings: AsyncIterator[RecordedHistory], reading: asyncio.Lock) -> RecordedHistory | None:
    async with reading:
        return await anext(recordings, None)


@cache
def _runtime() -> Runtime:
    """Return a runtime whose core does not log. One for the process, because it has its own threads."""
    logging_config = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=logging_config))


class _SdkLog:
    """Keeps the SDK from logging each failure: the verdict describes it. Replays may overlap in time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replays = 0
        self._level = logging.NOTSET

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Log nothing of the SDK while a context is open."""
        logger = logging.getLogger("temporalio")
        with self._lock:
            if not self._replays:
                self._level = logger.level
                logger.setLevel(logging.CRITICAL + 1)
            self._replays += 1
        try:
            yield
        finally:
            with self._lock:
                self._replays -= 1
                if not self._replays:
                    logger.setLevel(self._level)


_SDK_LOG = _SdkLog()


class _RestartingReplayer:
    """Replays one history after another. After a timeout it abandons its thread and starts a new one."""

    def __init__(self, workflows: Sequence[type], converter: DataConverter, timeout: float) -> None:
        self._workflows = workflows
        self._converter = converter
        self._timeout = timeout
        self._thread: _ReplayThread | None = None

    async def verdict(self, recording: RecordedHistory) -> ReplayVerdict:
        """Replay one history. Replay it again after a deadlock, which a busy machine can cause."""
        if (events := find_gap(recording.history)) is not None:
            before, after = events
            why = f"it follows event {before}: the events between them are missing"
            event_type = event_type_name(recording.history.events[before])
            return ReplayVerdict(recording.name, recording.history.workflow_id, "incomplete", after, event_type, why)
        verdict = await self._replay(recording)
        return await self._replay(recording) if DEADLOCK in verdict.said else verdict

    async def _replay(self, recording: RecordedHistory) -> ReplayVerdict:
        if self._thread is None:
            self._thread = _ReplayThread(self._workflows, self._converter)
        record = self._thread.sandbox.new_record()
        result = await self._thread.replay(recording.history, self._timeout)
        if result is None:
            await self.close()
            return explain_timeout(recording, record, self._timeout)
        return explain_replay(recording, result.replay_failure, record)

    async def close(self) -> None:
        """End the thread. One that hangs ends with the process."""
        if self._thread is not None:
            thread, self._thread = self._thread, None
            await thread.close()


class _ReplayThread:
    """The SDK's replayer in its own thread and event loop, because a replay that hangs blocks them without end."""

    def __init__(self, workflows: Sequence[type], converter: DataConverter) -> None:
        self.sandbox = RecordingSandbox()
        self._replayer = Replayer(
            workflows=workflows,
            workflow_runner=self.sandbox,
            data_converter=self.sandbox.recording_converter(converter),
            runtime=_runtime(),
        )
        self._histories: asyncio.Queue[WorkflowHistory] = asyncio.Queue()
        self._open = AsyncExitStack()
        self._results: AsyncIterator[WorkflowReplayResult] | None = None
        self._loop = asyncio.new_event_loop()
        Thread(target=self._run, name="replay", daemon=True).start()

    async def replay(self, history: WorkflowHistory, timeout: float) -> WorkflowReplayResult | None:
        """Replay one history. After a timeout return None; the thread can then only be closed."""
        result = asyncio.run_coroutine_threadsafe(self._result(history), self._loop)
        return result.result() if await _is_done(result, timeout) else None

    async def close(self) -> None:
        """End the thread, or leave it to end by itself."""
        closed = asyncio.run_coroutine_threadsafe(self._open.aclose(), self._loop)
        closed.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        await _is_done(closed, _CLOSE_SECONDS)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _result(self, history: WorkflowHistory) -> WorkflowReplayResult:
        if self._results is None:
            iterator = self._replayer.workflow_replay_iterator(self._queued_histories())
            self._results = await self._open.enter_async_context(iterator)
        self._histories.put_nowait(history)
        return await anext(self._results)

    async def _queued_histories(self) -> AsyncIterator[WorkflowHistory]:
        while True:
            yield await self._histories.get()


async def _is_done(work: Future[T], timeout: float) -> bool:
    """Wait for the work of another thread, at most ``timeout`` seconds. The work is not cancelled."""
    done, _ = await asyncio.wait({asyncio.wrap_future(work)}, timeout=timeout)
    return bool(done)
