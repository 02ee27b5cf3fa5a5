from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.end_to_end.ui.scene import Scene, scene


@pytest.fixture(scope="module")
async def ui_scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with scene(tmp_path_factory.mktemp("scene")) as ui_scene:
        yield ui_scene
