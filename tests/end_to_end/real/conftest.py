from __future__ import annotations

import pytest

from tests.end_to_end.real.programs import absent


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and (why := absent()):
        pytest.skip(why)
