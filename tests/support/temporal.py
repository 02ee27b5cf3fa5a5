"""A Temporal server for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client

from watchkeeper.temporal.dev_server import dev_server
from watchkeeper.temporal.ports import free_port


@asynccontextmanager
async def temporal_client(*dynamic_config: str) -> AsyncIterator[Client]:
    """Run a new server on free ports. The SDK's ``start_local`` waits only five seconds for it."""
    async with dev_server(port=free_port(), ui_port=free_port(), dynamic_config=dynamic_config) as server:
        yield server.client
