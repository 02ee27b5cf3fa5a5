"""Every recorded history replays with this code, and a workflow with a bug does not."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from pathlib import Path

import pytest

from tests.support.broken_workflow import SequentialWorkflow
from tests.support.paths import HISTORIES
from watchkeeper.testing.replay_assertions import assert_replays, histories, replayed

BEHAVIOURS = {
    *("concluded", "round-limit", "tool-failure", "bad-arguments", "unknown-tool", "parallel-calls"),
    *("approved", "denied", "approval-expired", "steered", "stopped", "continue-as-new-1", "continue-as-new-2"),
    *("approval-announced", "approval-expiry-announced"),
    *("tool-call-limit", "token-limit", "cost-limit", "duration-limit", "failure-limit", "empty"),
    *("context-overflow", "compacted", "queue-full", "carried-by-reference-1", "carried-by-reference-2"),
    *("queue-continue-as-new-1", "queue-continue-as-new-2"),
    *("alert-resolved-after-the-report", "alert-joined", "alert-recovered", "alert-queued", "alert-reopened"),
    *("follow-up", "follow-up-window-over", "open-run-continue-as-new-1", "open-run-continue-as-new-2"),
}


def test_every_behaviour_has_its_history() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} >= BEHAVIOURS


@pytest.mark.parametrize("history", histories(HISTORIES))
def test_recorded_histories_replay(history: Path) -> None:
    assert_replays(history)


async def test_a_broken_loop_is_caught() -> None:
    verdict = await replayed(HISTORIES / "parallel-calls.json", [SequentialWorkflow])
    assert (verdict.kind, verdict.event_type) == ("differs", "ActivityTaskScheduled")


async def test_a_result_of_a_later_version_is_unreadable_but_does_not_fail_the_run(tmp_path: Path) -> None:
    recorded = (HISTORIES / "concluded.json").read_text()
    (result,) = {
        payload["data"]
        for event in json.loads(recorded)["events"]
        for payload in event.get("activityTaskCompletedEventAttributes", {}).get("result", {}).get("payloads", ())
        if b"error_rate" in b64decode(payload.get("data", ""))
    }
    later = b64encode(b64decode(result).replace(b"{", b'{"status":"of a later version",', 1)).decode()
    (tmp_path / "later.json").write_text(recorded.replace(result, later))
    verdict = await replayed(tmp_path / "later.json")
    assert (verdict.kind, verdict.event_type) == ("unreadable", "ActivityTaskCompleted")
    assert verdict.why == "`ToolResult.status` cannot be read by this code: Input should be 'ok', 'error' or 'rejected'"
    assert verdict.said == "Failed decoding arguments", "the run was failed instead"
