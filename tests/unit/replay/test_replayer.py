"""Histories that cannot be replayed: each gets its own verdict within the timeout."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from tests.support.broken_workflow import SequentialWorkflow
from tests.support.paths import HISTORIES
from tests.support.program import Program
from watchkeeper.contracts import JsonObject
from watchkeeper.replay.history_files import InvalidHistory, RecordedHistory, read_history
from watchkeeper.replay.replayer import replay_histories
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.replay_assertions import WORKFLOWS, ReplayVerdict, assert_replays, histories, replayed

CONCLUDED = HISTORIES / "concluded.json"


async def read_histories(*paths: Path) -> AsyncIterator[RecordedHistory]:
    for path in paths:
        yield read_history(path)


def write_changed(directory: Path, change: Callable[[list[JsonObject]], None]) -> Path:
    """Write a history whose events were changed."""
    recorded = json.loads(CONCLUDED.read_text())
    change(recorded["events"])
    file = directory / "changed.json"
    file.write_text(json.dumps(recorded))
    return file


class BlockedCodec(PayloadCodec):
    """Blocks until ``back`` is set, like a decoder whose server is down."""

    def __init__(self) -> None:
        self.back = False

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        while not self.back:
            await asyncio.sleep(0.05)
        return list(payloads)


async def test_a_replay_that_hangs_is_abandoned_and_the_next_one_runs() -> None:
    codec = BlockedCodec()
    recordings = read_histories(CONCLUDED, HISTORIES / "denied.json")
    verdicts: list[ReplayVerdict] = []
    async for verdict in replay_histories(
        recordings, WORKFLOWS, converter=replace(DATA_CONVERTER, payload_codec=codec), concurrency=1, timeout=2
    ):
        verdicts.append(verdict)
        codec.back = True
    assert [verdict.kind for verdict in verdicts] == ["stuck", "agrees"]
    assert verdicts[0].why == "the replay made no progress after this event for 2 s"


async def test_missing_events_are_reported(tmp_path: Path) -> None:
    file = write_changed(tmp_path, lambda events: events.__delitem__(slice(6, 9)))
    verdict = await replayed(file)
    assert (verdict.kind, verdict.event) == ("incomplete", 10)
    assert verdict.why == "it follows event 6: the events between them are missing"


async def test_externally_stored_payloads_are_reported(tmp_path: Path) -> None:
    def store(events: list[JsonObject]) -> None:
        first = next(event for event in events if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_COMPLETED")
        (payload,) = first["activityTaskCompletedEventAttributes"]["result"]["payloads"]
        payload["metadata"] = {"encoding": b64encode(b"json/external-storage-reference").decode()}

    file = write_changed(tmp_path, store)
    verdict = await replayed(file)
    assert (verdict.kind, verdict.why) == ("incomplete", "it has payloads in external storage")


async def test_a_replay_that_takes_too_long_is_reported(tmp_path: Path) -> None:
    ended = await Program(tmp_path)("replay", str(CONCLUDED), "--timeout", "0.01")
    assert (ended.code, ended.err) == (1, "")
    assert "the replay made no progress after this event for 0.01 s" in ended.out
    assert "a slow machine needs a longer --timeout" in ended.out


def test_assert_replays_fails_with_the_reason() -> None:
    with pytest.raises(AssertionError) as failed:
        assert_replays(HISTORIES / "parallel-calls.json", [SequentialWorkflow])
    reason, remedy = str(failed.value).splitlines()
    assert "parallel-calls.json: event 20, ActivityTaskScheduled: the history schedules the activity `look`" in reason
    assert remedy.startswith("To fix it: keep the old behaviour for runs that began with it")


def test_a_directory_without_histories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidHistory, match="no recorded history"):
        histories(tmp_path)
