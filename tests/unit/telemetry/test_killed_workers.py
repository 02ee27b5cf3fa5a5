"""The trace of a run whose workers are killed repeatedly is one tree, with a span for each recorded attempt."""

from __future__ import annotations

import signal

import pytest

from tests.end_to_end.chaos.hosts import run_hosts
from tests.end_to_end.chaos.incidents import FULL
from tests.end_to_end.chaos.scripted_run import Environment, ScriptedRun, scripted_run
from tests.end_to_end.chaos.temporal_server import run_server
from tests.support.otlp_receiver import ReceivedTelemetry, otlp_receiver
from tests.support.span_tree import recorded, root_of

pytestmark = pytest.mark.timeout(300)

HELD_CALL = "r1.1"
POINTS = (24, 40, 52, 66, 78)
"""The current worker is killed after these events: before and after the run continues as new."""


async def test_kills_leave_one_tree_without_duplicates_and_orphans() -> None:
    async with (
        run_server() as server,
        run_hosts() as hosts,
        otlp_receiver() as received,
        scripted_run(Environment(server, hosts), FULL) as run,
    ):
        await run.start_worker("first", hold=HELD_CALL, collector=received.url)
        await run.start()
        await run.wait_for_arrival(HELD_CALL)
        await replace_worker(run, received)
        for number in POINTS:
            await run.wait_for_event(number)
            await replace_worker(run, received)
        assert await run.wait_for_end()
        expected = recorded(run.follower)
        await received.until(
            lambda received: expected.keys() <= {span.span_id for span in received.spans} and bool(roots(received))
        )
        executions = len(run.follower.executions)
    root = root_of(received.spans)
    assert executions > 1, "the run has continued as new"
    assert root.attributes["watchkeeper.outcome"] == "concluded"
    call_ids = {
        span.attributes["gen_ai.tool.call.id"] for span in received.spans if "gen_ai.tool.call.id" in span.attributes
    }
    assert call_ids >= {"r1.0", "r1.1", "r1.2", "r2.0", "r3.0", "r4.0"}
    rounds = {span.attributes["watchkeeper.round"] for span in received.spans if span.name.startswith("chat")}
    assert rounds == {1, 2, 3, 4, 5}
    held = [span for span in received.spans if span.attributes.get("gen_ai.tool.call.id") == HELD_CALL]
    attempts = [span.attributes["watchkeeper.attempt"] for span in held]
    assert attempts and 1 not in attempts, "an attempt that died with its worker has no span"
    assert len(attempts) == len(set(attempts))


def roots(received: ReceivedTelemetry) -> list[str]:
    return [span.span_id for span in received.spans if not span.parent_id]


async def replace_worker(run: ScriptedRun, received: ReceivedTelemetry) -> None:
    """Kill the worker and start another."""
    run.workers[-1].send(signal.SIGKILL)
    await run.start_worker(f"worker-{len(run.workers)}", collector=received.url)
