"""Replaying many recordings: a few at once, each within its time, no more of them in memory than are being replayed."""

from __future__ import annotations

import asyncio
import logging
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
"""Recordings at once: one is fetched while another is replayed. More would share the one interpreter."""

REPLAY_TIMEOUT = 120.0
"""Seconds that one recording may take, at about a thousand events each: Temporal ends a history at 51,200."""

_CLOSING = 2.0


async def replay_histories(
    recordings: AsyncIterator[RecordedHistory],
    workflows: Sequence[type],
    *,
    converter: DataConverter = DATA_CONVERTER,
    lanes: int = CONCURRENT_REPLAYS,
    timeout: float = REPLAY_TIMEOUT,
) -> AsyncIterator[ReplayVerdict]:
    """Give a verdict on each recording, in the order in which they are reached."""
    verdicts: asyncio.Queue[ReplayVerdict | None] = asyncio.Queue(lanes)
    reading = asyncio.Lock()

    async def drive() -> None:
        lane = _Lane(workflows, converter, timeout)
        try:
            while (recording := await _next(recordings, reading)) is not None:
                await verdicts.put(await lane.verdict(recording))
        finally:
            await lane.close()
            await verdicts.put(None)

    with _quiet():
        driving = [asyncio.create_task(drive()) for _ in range(lanes)]
        try:
            for _ in range(lanes):
                while (verdict := await verdicts.get()) is not None:
                    yield verdict
            await asyncio.gather(*driving)
        finally:
            for task in driving:
                task.cancel()
            await asyncio.gather(*driving, return_exceptions=True)


async def _next(recordings: AsyncIterator[RecordedHistory], reading: asyncio.Lock) -> RecordedHistory | None:
    async with reading:
        return await anext(recordings, None)


@cache
def _runtime() -> Runtime:
    """Return a runtime whose core does not log either, one for the process: it has threads of its own."""
    logged = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    return Runtime(telemetry=TelemetryConfig(logging=logged))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the SDK from logging each failure: the verdict says it."""
    logger = logging.getLogger("temporalio")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


class _Lane:
    """One replayer, which takes one history after the other.

    It has an event loop of its own: the SDK waits for ever for a replay that hangs, and cannot be made to stop.
    """

    def __init__(self, workflows: Sequence[type], converter: DataConverter, timeout: float) -> None:
        self._workflows = workflows
        self._converter = converter
        self._timeout = timeout
        self._replaying: _Replaying | None = None

    async def verdict(self, recording: RecordedHistory) -> ReplayVerdict:
        """Replay one recording; again if a step took too long, as a machine busy with other things can be why."""
        if (events := find_gap(recording.history)) is not None:
            before, after = events
            why = f"it follows event {before}: what was between them is missing"
            event_type = event_type_name(recording.history.events[before])
            return ReplayVerdict(recording.name, recording.history.workflow_id, "incomplete", after, event_type, why)
        verdict = await self._replayed(recording)
        return await self._replayed(recording) if DEADLOCK in verdict.said else verdict

    async def _replayed(self, recording: RecordedHistory) -> ReplayVerdict:
        if self._replaying is None:
            self._replaying = _Replaying(self._workflows, self._converter)
        witness = self._replaying.witness
        account = witness.begin()
        result = await self._replaying.replay(recording.history, self._timeout)
        if result is None:
            await self.close()
            return explain_timeout(recording, account, self._timeout)
        return explain_replay(recording, result.replay_failure, account)

    async def close(self) -> None:
        """End the replayer; one that hangs is left to the end of the process."""
        if self._replaying is not None:
            replaying, self._replaying = self._replaying, None
            await replaying.close()


class _Replaying:
    """A replayer at work in a thread."""

    def __init__(self, workflows: Sequence[type], converter: DataConverter) -> None:
        self.witness = RecordingSandbox()
        self._replayer = Replayer(
            workflows=workflows,
            workflow_runner=self.witness,
            data_converter=self.witness.listening(converter),
            runtime=_runtime(),
        )
        self._histories: asyncio.Queue[WorkflowHistory] = asyncio.Queue()
        self._open = AsyncExitStack()
        self._results: AsyncIterator[WorkflowReplayResult] | None = None
        self._loop = asyncio.new_event_loop()
        Thread(target=self._run, name="replay", daemon=True).start()

    async def replay(self, history: WorkflowHistory, timeout: float) -> WorkflowReplayResult | None:
        """Replay one history; None if there is no result in time, after which it is of no more use."""
        result = asyncio.run_coroutine_threadsafe(self._result(history), self._loop)
        return result.result() if await _ended(result, timeout) else None

    async def close(self) -> None:
        """End it, or leave it to end when it can."""
        closed = asyncio.run_coroutine_threadsafe(self._open.aclose(), self._loop)
        closed.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        await _ended(closed, _CLOSING)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _result(self, history: WorkflowHistory) -> WorkflowReplayResult:
        if self._results is None:
            replaying = self._replayer.workflow_replay_iterator(self._given())
            self._results = await self._open.enter_async_context(replaying)
        self._histories.put_nowait(history)
        return await anext(self._results)

    async def _given(self) -> AsyncIterator[WorkflowHistory]:
        while True:
            yield await self._histories.get()


async def _ended(work: Future[T], timeout: float) -> bool:
    """Wait for what another thread does; it is not cancelled when the time is over."""
    done, _ = await asyncio.wait({asyncio.wrap_future(work)}, timeout=timeout)
    return bool(done)
