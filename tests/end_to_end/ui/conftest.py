from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.ui.browser import Browser, missing_browser, open_browser


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and (why := missing_browser()):
        pytest.skip(why)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with open_browser() as browser:
        yield browser
