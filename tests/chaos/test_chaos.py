"""A sample of the matrix: `make chaos` deals every blow at every point."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.chaos.hosts import hosts
from tests.chaos.matrix import sample, take_baseline
from tests.chaos.playing import Ground
from tests.chaos.server import server

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def ground() -> AsyncIterator[Ground]:
    async with server() as running, hosts() as around:
        yield Ground(running, around)


async def test_a_run_survives_whatever_befalls_it(ground: Ground) -> None:
    baseline = await take_baseline(ground)
    for row in sample(baseline):
        await row.play(ground, baseline)
        assert row.problems() == []
