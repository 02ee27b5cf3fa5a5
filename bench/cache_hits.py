"""How often a worker has the conversation of a model request in memory, with one and with two workers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from bench.child_process import ChildProcess
from bench.temporal_runner import TemporalRunner


class CacheHits(NamedTuple):
    """Cache hits of the workers on one queue."""

    rate: float
    """Share of the model requests whose conversation was in the worker's memory."""
    least: float
    """Share of the model requests that the less busy worker sent."""


async def measure_cache_hits(
    runner: TemporalRunner, workers: Sequence[ChildProcess], *, runs: int, rounds: int, kib: int
) -> CacheHits:
    """Run some runs at once on the queue that the workers share."""
    before = [await _counts(worker) for worker in workers]
    started = [await runner.start(rounds, kib) for _ in range(runs)]
    await asyncio.gather(*(handle.result() for handle in started))
    after = [await _counts(worker) for worker in workers]
    hits = [now[0] - then[0] for now, then in zip(after, before, strict=True)]
    requests = [sum(now) - sum(then) for now, then in zip(after, before, strict=True)]
    return CacheHits(sum(hits) / sum(requests), min(requests) / sum(requests))


async def _counts(worker: ChildProcess) -> tuple[int, int]:
    return await worker.ask("hits"), await worker.ask("misses")
