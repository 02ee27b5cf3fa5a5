"""A script that ends right after its last call into the SDK's core exits cleanly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.paths import HISTORIES
from tests.support.program import Program

SCRIPT = """
import asyncio, sys, threading, time
from asyncio import selector_events
from pathlib import Path
import watchkeeper.testing

wake = selector_events.BaseSelectorEventLoop._write_to_self


def wake_slowly(loop):
    wake(loop)
    if threading.get_ident() not in {thread.ident for thread in threading.enumerate()}:
        time.sleep(0.2)


if sys.argv[2] == "slow":  # widens the moment in which the interpreter must not end
    selector_events.BaseSelectorEventLoop._write_to_self = wake_slowly
print(asyncio.run(watchkeeper.testing.replayed(Path(sys.argv[1]))).agrees)
"""


@pytest.mark.parametrize("wake", ["slow", "as it is"])
async def test_a_plain_script_that_replays_a_history_exits_cleanly(tmp_path: Path, wake: str) -> None:
    ended = await Program(tmp_path).python("-c", SCRIPT, str(HISTORIES / "concluded.json"), wake)
    assert (ended.code, ended.out, ended.err) == (0, "True\n", "")
