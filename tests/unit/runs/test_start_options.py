"""Start options of runs: Temporal neither times a run out nor starts it again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes as Started
from temporalio.client import Client

from tests.support.harness import run_harness
from tests.support.paths import HISTORIES
from watchkeeper.contracts import RunInput
from watchkeeper.runs import client as runs_client
from watchkeeper.testing.scripts import says


def check(started: Started) -> None:
    # A retried run would page people again. A run that times out would end without a report.
    assert not started.HasField("retry_policy")
    assert started.workflow_execution_timeout.ToTimedelta().total_seconds() == 0
    assert started.workflow_run_timeout.ToTimedelta().total_seconds() == 0
    assert (started.attempt, started.cron_schedule) == (1, "")


async def test_a_run_is_neither_repeated_nor_timed_out(client: Client) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        found = await runs_client.start_run(client, RunInput(text="Why?"), harness.settings)
        handle = client.get_workflow_handle(found.workflow_id)
        await handle.result()
        first = await anext(aiter(handle.fetch_history_events()))
    check(first.workflow_execution_started_event_attributes)


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_no_recorded_run_is_repeated_or_timed_out(path: Path) -> None:
    (first, *_) = json.loads(path.read_text())["events"]
    started = ParseDict(first["workflowExecutionStartedEventAttributes"], Started())
    is_chain = any(name in path.stem for name in ("continue-as-new", "carried-by-reference"))
    assert (is_chain and path.stem[-1] > "1") == bool(started.continued_execution_run_id)
    check(started)
