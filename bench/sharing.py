"""How often a worker holds the conversation that it is asked to send, alone on its queue and beside another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from bench.durable import Durable
from bench.process import Answering


class Held(NamedTuple):
    """What some workers on one queue found in their memories."""

    rate: float
    """Share of the questions whose conversation was in the memory of the worker that put it."""
    least: float
    """Share of the questions that fell to the worker with the fewest."""


async def held(racer: Durable, workers: Sequence[Answering], *, runs: int, rounds: int, kib: int) -> Held:
    """Let some runs go on at once on the queue that the workers share."""
    before = [await _counts(worker) for worker in workers]
    started = [await racer.start(rounds, kib) for _ in range(runs)]
    await asyncio.gather(*(handle.result() for handle in started))
    after = [await _counts(worker) for worker in workers]
    hits = [now[0] - then[0] for now, then in zip(after, before, strict=True)]
    asked = [sum(now) - sum(then) for now, then in zip(after, before, strict=True)]
    return Held(sum(hits) / sum(asked), min(asked) / sum(asked))


async def _counts(worker: Answering) -> tuple[int, int]:
    return await worker.ask("hits"), await worker.ask("misses")
