from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from watchkeeper.demo.world import World


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(timeout=5, verify=False) as client:
        yield client


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with World.running() as world:
        yield world
