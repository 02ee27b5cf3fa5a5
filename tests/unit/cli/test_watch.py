"""``watch`` in a terminal: the panel, at every size and with hostile text."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.harness import run_harness, until_waiting
from tests.support.program import Program
from tests.support.terminal_screen import Shown, at_terminal
from watchkeeper.contracts import Decision
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

RESTART = ("restart", {"service": "checkout"})
HOSTILE = "\x1b]0;owned\x07 \x1b[2J \u202egnp.exe \U0001f525\u30c1\u30a7\u30c3\u30af"

pytestmark = pytest.mark.timeout(120)


async def drawn_at(shown: Shown, width: int, height: int = 30) -> str:
    """Resize the terminal. Return what it shows after a few redraws."""
    shown.resize(width, height)
    await asyncio.sleep(1)
    return shown.screen.text


async def test_the_panel_is_drawn_once_at_every_size_and_removed_at_the_end(client: Client, tmp_path: Path) -> None:
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": client.service_client.config.target_host})
    script = [calls(("look", {"service": HOSTILE}), RESTART, content=HOSTILE), says(f"**Found:** {HOSTILE}")]
    async with run_harness(client, script) as harness:
        run = await harness.start(f"Checkout {HOSTILE}")
        await until_waiting(run, "r1.1")
        async with at_terminal(program, "watch", run.id, NO_COLOR="1") as shown:
            await shown.shows("1 of 30 rounds", "left")
            drawings = [await drawn_at(shown, width) for width in (60, 41, 200, 100)]
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.1", approved=True, by="ada"))
            assert await shown.end() == 0
    for drawing in drawings:
        assert drawing.count("1 of 30 rounds") == 1
        assert drawing.count("min") >= 1
    assert "1 of 30 rounds" not in shown.screen.text
    assert shown.screen.text.count("watchkeeper approve") == 1, "a printed line changed"
    assert "ada approves r1.1 (restart)" in shown.screen.text
    assert "Found:" in shown.screen.text
    assert shown.screen.visible_cursor
    assert "\x1b]" not in shown.output
    assert "\x1b[2J" not in shown.output
    colours = re.findall(r"\x1b\[(?:[\d;]*;)?[34]\d(?:;[\d;]*)?m", shown.output)
    assert colours == []


@pytest.mark.parametrize("width", [60, 100, 140])
async def test_an_interrupted_watch_leaves_no_part_of_the_panel(client: Client, tmp_path: Path, width: int) -> None:
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": client.service_client.config.target_host})
    async with run_harness(client, [says("**Fine.**")]) as harness:
        harness.model.faults.append(hang(60))
        run = await harness.start()
        async with at_terminal(program, "watch", run.id, width=width) as shown:
            await shown.shows("1 of 30 rounds", "waits for the model")
            shown.interrupt()
            assert await shown.end() == 130
    assert "^C" in shown.output
    assert "─" not in shown.screen.text
    assert "1 of 30 rounds" not in shown.screen.text
    assert f"watchkeeper watch {run.id}" in shown.screen.text.replace("\n", "")


async def test_a_dumb_terminal_gets_plain_lines(client: Client, tmp_path: Path) -> None:
    program = Program(tmp_path, {"TEMPORAL_ADDRESS": client.service_client.config.target_host})
    async with run_harness(client, [calls(("look", {"service": "checkout"})), says("**Fine.**")]) as harness:
        run = await harness.start()
        async with at_terminal(program, "watch", run.id, TERM="dumb") as shown:
            assert await shown.end() == 0
    assert "r1.0  look  service=checkout" in shown.screen.text
    assert not re.search(r"\x1b\[\d*[AK]", shown.output)
