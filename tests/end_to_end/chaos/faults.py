"""The faults of the matrix. Each is injected at one point of a run's history; then the run is followed to its end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tests.end_to_end.chaos.hosts import Host
from tests.end_to_end.chaos.incidents import Incident
from tests.end_to_end.chaos.run_checks import Verdict, check_run, history_around_kill, step_times_after
from tests.end_to_end.chaos.scripted_run import Environment, ScriptedRun, scripted_run
from tests.end_to_end.chaos.tcp_relay import run_relay
from tests.end_to_end.chaos.temporal_server import TemporalServer
from watchkeeper.contracts import RunResult

FROZEN_SECONDS = 4.5
"""Longer than an attempt waits for a host, so that attempts fail meanwhile."""

DEAD_SECONDS = 1.5
"""Between a kill and the restart."""

WORST_SECONDS = 6.0
"""The longest time from a kill to the next step while a second worker runs."""

CONCURRENT_RUNS = 5
START_INTERVAL_SECONDS = 0.15
RESPONSE_DELAY_SECONDS = 3.0


@dataclass
class Outcome:
    """The result of one fault at one point."""

    where: str
    verdict: Verdict
    events_at_fault: int = 0
    recovery: float | None = None
    """Seconds from the kill to the next step; None without a second worker or after the end of the run."""
    history: list[str] = field(default_factory=list)
    """The events around the kill; filled only if the next step was too late."""


@dataclass(frozen=True)
class Baseline:
    """The result and the number of events of each incident without a fault, by incident name."""

    results: dict[str, RunResult] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)


Fault = Callable[[Environment, Baseline], Awaitable[list[Outcome]]]


def kill_after(incident: Incident, number: int, *, second_worker: bool) -> Fault:
    """Kill the worker that executes the run as soon as the history has ``number`` events."""

    async def inject(environment: Environment, baseline: Baseline) -> list[Outcome]:
        async with scripted_run(environment, incident) as run:
            await asyncio.gather(*(run.start_worker(name) for name in ("first", "second")[: 1 + second_worker]))
            await run.start()
            await run.wait_for_event(number)
            return [await _kill_worker(run, baseline, f"{incident.name} {number}", second_worker=second_worker)]

    return inject


def kill_before_recording(incident: Incident, call: str, *, second_worker: bool) -> Fault:
    """Kill the worker after a host has acted on a call and before the host answers."""

    async def inject(environment: Environment, baseline: Baseline) -> list[Outcome]:
        async with scripted_run(environment, incident) as run:
            await run.start_worker("first", hold=call)
            await run.start()
            await run.wait_for_arrival(call)
            if second_worker:
                await run.start_worker("second")
            return [await _kill_worker(run, baseline, f"{incident.name} {call}", second_worker=second_worker)]

    return inject


async def _kill_worker(run: ScriptedRun, baseline: Baseline, where: str, *, second_worker: bool) -> Outcome:
    worker = run.active_worker()
    closed = run.follower.closed
    worker.send(signal.SIGKILL)
    run.mark_fault()
    if not second_worker:
        await run.start_worker("second")
    outcome = await _finish(run, baseline, where)
    if second_worker and not closed and (times := list(step_times_after(run, worker.name))):
        outcome.recovery = min(times) - run.killed_at
        if outcome.recovery > WORST_SECONDS:
            outcome.history = history_around_kill(run)
    return outcome


async def _finish(run: ScriptedRun, baseline: Baseline, where: str, *, late: bool = True) -> Outcome:
    await run.wait_for_end()
    return Outcome(where, await check_run(run, baseline.results[run.incident.name], late=late), run.events_at_fault)


SharedFault = Callable[[Environment], Awaitable[None]]


def fault_for_all_runs(incident: Incident, number: int, shared_fault: SharedFault, *, waiting: bool = False) -> Fault:
    """Inject a fault into a shared process when the middle one of several runs has ``number`` events.

    ``waiting``: people respond late, so that the runs wait for a person when the fault happens.
    """

    async def inject(environment: Environment, baseline: Baseline) -> list[Outcome]:
        async with AsyncExitStack() as stack:
            runs = [
                await stack.enter_async_context(scripted_run(environment, incident)) for _ in range(CONCURRENT_RUNS)
            ]
            await asyncio.gather(*(run.start_worker("first") for run in runs))
            for run in runs:
                run.response_delay = RESPONSE_DELAY_SECONDS if waiting else 0.0
                await run.start()
                await asyncio.sleep(START_INTERVAL_SECONDS)
            await runs[CONCURRENT_RUNS // 2].wait_for_event(number)
            for run in runs:
                run.mark_fault()
            await shared_fault(environment)
            where = f"{incident.name} {number}"
            late = shared_fault not in (freeze_model, freeze_back_ends)
            return [await _finish(run, baseline, where, late=late) for run in runs]

    return inject


async def freeze_model(environment: Environment) -> None:
    """Stop the model's process for ``FROZEN_SECONDS``."""
    await _freeze(environment.hosts.model)


async def freeze_back_ends(environment: Environment) -> None:
    """Stop the back ends' process for ``FROZEN_SECONDS``."""
    await _freeze(environment.hosts.back_ends)


async def _freeze(host: Host) -> None:
    host.send(signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    host.send(signal.SIGCONT)


async def kill_model(environment: Environment) -> None:
    """Kill the model and restart it."""
    await _kill_and_restart(environment.hosts.model)


async def kill_back_ends(environment: Environment) -> None:
    """Kill the back ends and restart them."""
    await _kill_and_restart(environment.hosts.back_ends)


async def kill_server(environment: Environment) -> None:
    """Kill the Temporal server and restart it on its database."""
    await _kill_and_restart(environment.server)


async def _kill_and_restart(process: TemporalServer | Host) -> None:
    await process.kill()
    await asyncio.sleep(DEAD_SECONDS)
    await process.start()


def cut_network(incident: Incident, number: int, seconds: float, *, silently: bool, second_worker: bool) -> Fault:
    """Disconnect the worker from the Temporal server for some seconds when the history has ``number`` events."""

    async def inject(environment: Environment, baseline: Baseline) -> list[Outcome]:
        async with run_relay(environment.server.address) as relay, scripted_run(environment, incident) as run:
            await run.start_worker("first", address=relay.address)
            await run.start()
            await run.wait_for_event(number)
            relay.cut(silently=silently)
            run.mark_fault()
            if second_worker:
                await run.start_worker("second")
            await asyncio.sleep(seconds)
            relay.restore()
            return [await _finish(run, baseline, f"{incident.name} {number} {seconds:g} s", late=False)]

    return inject
