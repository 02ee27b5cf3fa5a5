"""Slots for workflow tasks: none is lost, whatever the SDK does with its permits."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from dataclasses import dataclass
from typing import cast

import pytest
from temporalio.worker import SlotPermit, SlotReleaseContext, SlotReserveContext

from watchkeeper.temporal.workflow_slots import WorkflowTaskSlots


@dataclass
class Reservation:
    is_sticky: bool


def context(*, sticky: bool) -> SlotReserveContext:
    return cast(SlotReserveContext, Reservation(sticky))


def release(slots: WorkflowTaskSlots, permit: SlotPermit) -> None:
    slots.release_slot(SlotReleaseContext(slot_info=None, permit=permit))


def taken(slots: WorkflowTaskSlots, *, sticky: bool) -> list[SlotPermit]:
    """Take all slots that are free."""
    permits = []
    while (permit := slots.try_reserve_slot(context(sticky=sticky))) is not None:
        permits.append(permit)
    return permits


@pytest.mark.parametrize(("sticky", "count"), [(False, 2), (True, 4)])
def test_both_kinds_have_their_own_slots(sticky: bool, count: int) -> None:
    slots = WorkflowTaskSlots(replays=2, cached=4)
    held = taken(slots, sticky=sticky)
    assert len(held) == count
    assert len(taken(slots, sticky=not sticky)) == 6 - count
    release(slots, held.pop())
    assert len(taken(slots, sticky=sticky)) == 1


def test_a_slot_is_given_back_once() -> None:
    slots = WorkflowTaskSlots(replays=1, cached=1)
    permit = slots.try_reserve_slot(context(sticky=True))
    assert permit is not None
    release(slots, permit)
    release(slots, permit)
    del permit
    gc.collect()
    assert len(taken(slots, sticky=True)) == 1


def test_a_permit_that_the_sdk_drops_is_given_back() -> None:
    slots = WorkflowTaskSlots(replays=1, cached=1)
    assert slots.try_reserve_slot(context(sticky=True)) is not None
    gc.collect()
    assert len(taken(slots, sticky=True)) == 1


async def test_whoever_waits_gets_the_slot_that_another_thread_gives_back() -> None:
    slots = WorkflowTaskSlots(replays=1, cached=1)
    permit = await slots.reserve_slot(context(sticky=False))
    waiting = [asyncio.create_task(slots.reserve_slot(context(sticky=False))) for _ in range(3)]
    for _ in range(3):
        await asyncio.sleep(0.01)
        assert sum(task.done() for task in waiting) == 0
        thread = threading.Thread(target=release, args=(slots, permit))
        thread.start()
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        thread.join()
        (first,), waiting = done, list(pending)
        permit = first.result()
    release(slots, permit)
    assert len(taken(slots, sticky=False)) == 1


@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_or_given_twice(seed: int) -> None:
    """Reservations that are cancelled at any time, permits that are dropped, releases from other threads."""
    rng, slots, held, most = random.Random(seed), WorkflowTaskSlots(replays=2, cached=3), 0, 0
    lock, threads = threading.Lock(), list[threading.Thread]()

    def let_go(permits: list[SlotPermit], *, drops: bool) -> None:
        nonlocal held
        with lock:
            held -= 1
        permit = permits.pop()
        if not drops:
            release(slots, permit)

    async def use() -> None:
        nonlocal held, most
        permits = [await slots.reserve_slot(context(sticky=True))]
        with lock:
            held += 1
            most = max(most, held)
        try:
            await asyncio.sleep(rng.random() / 1_000)
        finally:
            threads.append(threading.Thread(target=let_go, args=(permits,), kwargs={"drops": rng.random() < 0.3}))
            threads[-1].start()

    tasks = [asyncio.create_task(use()) for _ in range(60)]
    for number in rng.sample(range(60), 30):
        await asyncio.sleep(rng.random() / 2_000)
        tasks[number].cancel()
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()
    for thread in threads:
        thread.join()
    gc.collect()
    assert most <= 3
    assert len(taken(slots, sticky=True)) == 3
