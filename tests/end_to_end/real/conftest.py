from __future__ import annotations

import pytest

from tests.end_to_end.real.programs import missing_programs


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and (why := missing_programs()):
        pytest.skip(why)
