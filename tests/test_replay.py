"""Every recorded behaviour replays with the code of today, and the net holds: a broken loop does not."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.broken import SequentialWorkflow
from tests.conftest import HISTORIES
from watchkeeper.sandbox import Sandbox
from watchkeeper.temporal import DATA_CONVERTER
from workflows.incident import IncidentWorkflow
from workflows.queue import QueueWorkflow

BEHAVIOURS = {
    *("concluded", "round-limit", "tool-failure", "bad-arguments", "unknown-tool", "parallel-calls"),
    *("approved", "denied", "approval-expired", "steered", "stopped", "continue-as-new-1", "continue-as-new-2"),
    *("tool-call-limit", "token-limit", "cost-limit", "duration-limit", "failure-limit", "empty"),
    *("context-overflow", "compacted", "queue-full"),
    *("queue-continue-as-new-1", "queue-continue-as-new-2"),
    *("alert-resolved-after-the-report", "alert-joined", "alert-recovered", "alert-queued"),
    *("follow-up", "follow-up-window-over", "open-run-continue-as-new-1", "open-run-continue-as-new-2"),
}


def history_of(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("replayed", path.read_text())


def replayer() -> Replayer:
    workflows = [IncidentWorkflow, QueueWorkflow]
    return Replayer(workflows=workflows, workflow_runner=Sandbox(), data_converter=DATA_CONVERTER)


def test_every_behaviour_has_its_history() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} >= BEHAVIOURS


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
async def test_recorded_histories_replay(path: Path) -> None:
    result = await replayer().replay_workflow(history_of(path), raise_on_replay_failure=False)
    assert result.replay_failure is None


async def test_a_broken_loop_is_caught() -> None:
    broken = Replayer(workflows=[SequentialWorkflow], workflow_runner=Sandbox(), data_converter=DATA_CONVERTER)
    history = history_of(HISTORIES / "parallel-calls.json")
    result = await broken.replay_workflow(history, raise_on_replay_failure=False)
    assert isinstance(result.replay_failure, NondeterminismError)


async def test_a_result_of_a_later_version_waits_for_a_worker_that_can_read_it() -> None:
    recorded = (HISTORIES / "concluded.json").read_text()
    (result,) = {
        payload["data"]
        for event in json.loads(recorded)["events"]
        for payload in event.get("activityTaskCompletedEventAttributes", {}).get("result", {}).get("payloads", ())
        if b"error_rate" in b64decode(payload.get("data", ""))
    }
    later = b64encode(b64decode(result).replace(b"{", b'{"status":"of a later version",', 1)).decode()
    history = WorkflowHistory.from_json("replayed", recorded.replace(result, later))
    replayed = await replayer().replay_workflow(history, raise_on_replay_failure=False)
    assert "Failed decoding arguments" in str(replayed.replay_failure)
    assert not isinstance(replayed.replay_failure, NondeterminismError), "the run was failed instead"
