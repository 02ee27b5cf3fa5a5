from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.ui.browser import Browser, absent, browsing
from tests.end_to_end.ui.scene import Scene, scene


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and (why := absent()):
        pytest.skip(why)


@pytest.fixture(scope="module")
async def played(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("scene")) as played:
        yield played


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as browser:
        yield browser
