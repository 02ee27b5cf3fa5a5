"""A connection to Temporal that is made when Temporal is there, for a process that starts whether or not it is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, ServiceClient
from temporalio.service import ServiceResponse as Answer
from temporalio.service import _BridgeServiceClient as BridgeServiceClient

log = logging.getLogger(__name__)

UNREACHABLE_STATUSES = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)

_PAUSE = 1.0
_ATTEMPT = timedelta(seconds=10)


def unavailable_until_connected(client: Client) -> Client:
    """Return a lazy client whose calls fail with RPCError while there is no connection, not with RuntimeError."""
    config = client.config()
    config["service_client"] = _LazyServiceClient(client.service_client)
    return Client(**config)


async def wait_until_reachable(client: Client) -> None:
    """Connect a lazy client. A request with little patience might never get so far by itself."""
    told = False
    while True:
        try:
            await client.service_client.check_health(timeout=_ATTEMPT)
            break
        except RPCError as error:
            if error.status not in UNREACHABLE_STATUSES:
                break  # it answers, and that is enough
            if not told:
                told = True
                log.warning("Temporal is out of reach; trying again until it is there")
        await asyncio.sleep(_PAUSE)
    if told:
        log.info("Temporal is there")


class _LazyServiceClient(ServiceClient):
    """Says of a connection that cannot be made what is said of one that is lost."""

    def __init__(self, inner: ServiceClient) -> None:
        super().__init__(inner.config)
        self._inner = inner

    @property
    def worker_service_client(self) -> BridgeServiceClient:
        return self._inner.worker_service_client

    def update_rpc_metadata(self, metadata: Mapping[str, str | bytes]) -> None:
        self._inner.update_rpc_metadata(metadata)

    def update_api_key(self, api_key: str | None) -> None:
        self._inner.update_api_key(api_key)

    async def _rpc_call(
        self,
        rpc: str,
        req: Message,
        resp_type: type[Answer],
        *,
        service: str,
        retry: bool,
        metadata: Mapping[str, str | bytes],
        timeout: timedelta | None,
    ) -> Answer:
        try:
            return await self._inner._rpc_call(
                rpc, req, resp_type, service=service, retry=retry, metadata=metadata, timeout=timeout
            )
        except RuntimeError as error:
            raise RPCError("there is no connection yet", RPCStatusCode.UNAVAILABLE, b"") from error
