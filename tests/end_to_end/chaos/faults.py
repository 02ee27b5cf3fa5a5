"""Faults that are injected into a run, each at one point of its history, and how the run continues after each."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tests.end_to_end.chaos.hosts import Host
from tests.end_to_end.chaos.incidents import Incident
from tests.end_to_end.chaos.player import Ground, Play, playing
from tests.end_to_end.chaos.tcp_relay import relaying
from tests.end_to_end.chaos.temporal_server import Server
from tests.end_to_end.chaos.verdict import Verdict, around_the_kill, judge, steps_after
from watchkeeper.contracts import RunResult

FROZEN_SECONDS = 4.5
"""Longer than a host's silence is borne, so that attempts fail meanwhile."""

DEAD_SECONDS = 1.5
WORST_SECONDS = 6.0
"""How late the next step may come after a kill, with another worker up."""

SHARING = 5
APART_SECONDS = 0.15
PONDERING_SECONDS = 3.0


@dataclass
class Outcome:
    """What came of one point."""

    where: str
    verdict: Verdict
    fault_event: int = 0
    recovery: float | None = None
    """Seconds to the next step, where another worker was up and there was one to make."""
    since: list[str] = field(default_factory=list)
    """What the history holds from a moment before the kill to that step, where it was late."""


@dataclass(frozen=True)
class Baseline:
    """What an undisturbed run of each incident is: its result, and how many events it has."""

    results: dict[str, RunResult] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)


Fault = Callable[[Ground, Baseline], Awaitable[list[Outcome]]]


def kill_after(incident: Incident, number: int, *, another_up: bool) -> Fault:
    """Kill the worker that makes the run's steps as soon as it has so many events."""

    async def inject(ground: Ground, baseline: Baseline) -> list[Outcome]:
        async with playing(ground, incident) as play:
            await asyncio.gather(*(play.work(name) for name in ("first", "second")[: 1 + another_up]))
            await play.begin()
            await play.until_event(number)
            return [await _killed(play, baseline, f"{incident.name} {number}", another_up=another_up)]

    return inject


def kill_before_recording(incident: Incident, call: str, *, another_up: bool) -> Fault:
    """Kill the worker when a host has acted on a call and keeps its answer back."""

    async def inject(ground: Ground, baseline: Baseline) -> list[Outcome]:
        async with playing(ground, incident) as play:
            await play.work("first", hold=call)
            await play.begin()
            await play.until_arrival(call)
            if another_up:
                await play.work("second")
            return [await _killed(play, baseline, f"{incident.name} {call}", another_up=another_up)]

    return inject


async def _killed(play: Play, baseline: Baseline, where: str, *, another_up: bool) -> Outcome:
    victim = play.holder()
    over = play.following.closed
    victim.send(signal.SIGKILL)
    play.mark_fault()
    if not another_up:
        await play.work("second")
    outcome = await _judged(play, baseline, where)
    if another_up and not over and (steps := list(steps_after(play, victim.name))):
        outcome.recovery = min(steps) - play.killed_at
        if outcome.recovery > WORST_SECONDS:
            outcome.since = around_the_kill(play)
    return outcome


async def _judged(play: Play, baseline: Baseline, where: str, *, late: bool = True) -> Outcome:
    await play.until_over()
    return Outcome(where, await judge(play, baseline.results[play.incident.name], late=late), play.fault_event)


Trouble = Callable[[Ground], Awaitable[None]]


def trouble_for_all(incident: Incident, number: int, trouble: Trouble, *, waiting: bool = False) -> Fault:
    """Let what all share fail when one of several runs has so many events; the others are ahead of it or behind.

    ``waiting``: people take their time, so that it fails while the runs wait for them.
    """

    async def inject(ground: Ground, baseline: Baseline) -> list[Outcome]:
        async with AsyncExitStack() as stack:
            plays = [await stack.enter_async_context(playing(ground, incident)) for _ in range(SHARING)]
            await asyncio.gather(*(play.work("first") for play in plays))
            for play in plays:
                play.pondering = PONDERING_SECONDS if waiting else 0.0
                await play.begin()
                await asyncio.sleep(APART_SECONDS)
            await plays[SHARING // 2].until_event(number)
            for play in plays:
                play.mark_fault()
            await trouble(ground)
            where = f"{incident.name} {number}"
            late = trouble not in (freeze_model, freeze_back_ends)
            return [await _judged(play, baseline, where, late=late) for play in plays]

    return inject


async def freeze_model(ground: Ground) -> None:
    """Freeze the model for a while."""
    await _freeze(ground.hosts.model)


async def freeze_back_ends(ground: Ground) -> None:
    """Freeze the back ends for a while."""
    await _freeze(ground.hosts.back_ends)


async def _freeze(host: Host) -> None:
    host.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    host.send(signal.SIGCONT)


async def kill_model(ground: Ground) -> None:
    """Kill the model and start it again."""
    await _die(ground.hosts.model)


async def kill_back_ends(ground: Ground) -> None:
    """Kill the back ends and start them again."""
    await _die(ground.hosts.back_ends)


async def kill_server(ground: Ground) -> None:
    """Kill the Temporal server and start it again on its database."""
    await _die(ground.server)


async def _die(dying: Server | Host) -> None:
    await dying.kill()
    await asyncio.sleep(DEAD_SECONDS)
    await dying.start()


def cut_network(incident: Incident, number: int, seconds: float, *, silently: bool, another_up: bool) -> Fault:
    """Cut the worker off from the Temporal server for a while when the run has so many events."""

    async def inject(ground: Ground, baseline: Baseline) -> list[Outcome]:
        async with relaying(ground.server.address) as relay, playing(ground, incident) as play:
            await play.work("first", address=relay.address)
            await play.begin()
            await play.until_event(number)
            relay.cut(silently=silently)
            play.mark_fault()
            if another_up:
                await play.work("second")
            await asyncio.sleep(seconds)
            relay.mend()
            return [await _judged(play, baseline, f"{incident.name} {number} {seconds:g} s", late=False)]

    return inject
