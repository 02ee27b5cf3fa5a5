"""Put this beside your own tests, with the histories of your runs in a folder next to it.

Record one of each kind of run that you care about: watchkeeper history export RUN histories/NAME.json
"""

from pathlib import Path

import pytest

from watchkeeper.testing.replay import assert_replays, histories


@pytest.mark.parametrize("history", histories(Path(__file__).parent / "histories"))
def test_recorded_runs_go_on_with_this_code(history: Path) -> None:
    """A worker of this code can carry the run on."""
    assert_replays(history)
