"""A Temporal client for a process that must start even if Temporal is not reachable yet."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode, ServiceClient
from temporalio.service import ServiceResponse as Answer
from temporalio.service import _BridgeServiceClient as BridgeServiceClient

from watchkeeper.text import duration

log = logging.getLogger(__name__)

_UNREACHABLE = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
_CUT_CONNECTION = "transport error"
"""Message of the SDK, with the status UNKNOWN, if the connection ends during a request."""

_PAUSE = 1.0
_ATTEMPT = timedelta(seconds=10)


def is_unreachable(error: RPCError) -> bool:
    """Tell whether a request failed because no server answered, not because a server refused it."""
    return error.status in _UNREACHABLE or error.message == _CUT_CONNECTION


def unavailable_until_connected(client: Client) -> Client:
    """Return a lazy client whose calls raise RPCError (UNAVAILABLE) without a connection, instead of RuntimeError."""
    config = client.config()
    config["service_client"] = _LazyServiceClient(client.service_client)
    return Client(**config)


async def wait_until_reachable(client: Client) -> None:
    """Wait until a lazy client is connected. A request with a short timeout may never connect it.

    It logs once that it waits, since when and for which address.
    """
    address, since = client.service_client.config.target_host, None
    while True:
        try:
            await client.service_client.check_health(timeout=_ATTEMPT)
            break
        except RPCError as error:
            if not is_unreachable(error):
                break  # the server answered, so it is reachable
            if since is None:
                since = datetime.now(UTC)
                log.warning(
                    "no Temporal server answers at %s; waiting for it since %s UTC",
                    address,
                    f"{since:%Y-%m-%d %H:%M:%S}",
                )
        await asyncio.sleep(_PAUSE)
    if since is not None:
        log.info("Temporal answers at %s, after %s", address, duration((datetime.now(UTC) - since).total_seconds()))


class _LazyServiceClient(ServiceClient):
    """Raises the same error for a connection that cannot be made as for one that was lost."""

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
