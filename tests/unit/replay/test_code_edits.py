"""``watchkeeper replay`` with edited code: every edit that breaks open runs is found, with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.code_edits import BREAKING, SAFE, Breaking, Edit, copy
from tests.support.paths import HISTORIES
from tests.support.program import Ended, Program


async def replay_with_edits(directory: Path, edits: list[Edit], *histories: Path) -> tuple[Ended, dict[str, Any]]:
    """Run ``watchkeeper replay`` of an edited copy of the code."""
    code = directory / "code"
    copy(code)
    for edit in edits:
        edit.apply(code)
    program = Program(directory, {"PYTHONPATH": str(code)})
    ended = await program("replay", *map(str, histories), "--json")
    assert ended.err == ""
    return ended, json.loads(ended.out)


@pytest.mark.parametrize("broken", BREAKING.values(), ids=BREAKING)
async def test_an_edit_that_breaks_runs_is_caught(broken: Breaking, tmp_path: Path) -> None:
    path = HISTORIES / f"{broken.history}.json"
    ended, output = await replay_with_edits(tmp_path, [broken.edit], path)
    assert (ended.code, output["broken"]) == (1, 1)
    (verdict,) = output["histories"]
    assert (verdict["kind"], verdict["event_type"]) == (broken.kind, broken.event_type)
    assert verdict["why"].startswith(broken.why)
    assert verdict["way_out"]
    event = json.loads(path.read_text())["events"][verdict["event"] - 1]
    assert event["eventType"].removeprefix("EVENT_TYPE_").replace("_", "") == broken.event_type.upper()


async def test_edits_that_break_no_run_pass_with_every_history(tmp_path: Path) -> None:
    ended, output = await replay_with_edits(tmp_path, list(SAFE.values()), HISTORIES)
    assert [verdict for verdict in output["histories"] if not verdict["agrees"]] == []
    assert (ended.code, output["replayed"], output["broken"]) == (0, len(list(HISTORIES.glob("*.json"))), 0)
