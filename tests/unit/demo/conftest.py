from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(timeout=5, verify=False) as client:
        yield client
