"""Copy this file to your tests, and the histories of your runs to a folder ``histories`` next to it.

Record one run of each kind that matters to you: watchkeeper history export RUN histories/NAME.json
"""

from pathlib import Path

import pytest

from watchkeeper.testing import assert_replays, histories


@pytest.mark.parametrize("history", histories(Path(__file__).parent / "histories"))
def test_recorded_runs_replay(history: Path) -> None:
    """A worker with this code can continue the run."""
    assert_replays(history)
