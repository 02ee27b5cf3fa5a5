"""HTTP requests that the intake sends: fetch signing certificates and confirm SNS subscriptions."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import httpx2

from watchkeeper.alerts.verification import VerificationError

FETCH_SECONDS = 5.0
"""Time limit for one request in total."""

_MAX_BYTES = 64 * 2**10
_CACHED = 16
_AT_ONCE = 8


class OutboundUnavailable(Exception):
    """A host did not answer or had an error. A later request may succeed."""


class OutboundHttp:
    """Sends GET requests to https addresses that an alert source has checked. Follows no redirect."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._certificates: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[bytes]] = {}

    async def certificate(self, url: str) -> bytes:
        """Return a certificate from the cache or from its address.

        A fetch continues after the request that needed it timed out, so that the sender's next request finds it.

        Raises VerificationError if the certificate does not exist, and OutboundUnavailable if that is not known.
        """
        if url in self._certificates:
            self._certificates.move_to_end(url)
            return self._certificates[url]
        if url not in self._fetching:
            if len(self._fetching) >= _AT_ONCE:
                raise OutboundUnavailable("too many certificates are being fetched")
            task = self._fetching[url] = asyncio.create_task(self._get(url))
            task.add_done_callback(lambda done: self._store(url, done))
        return await asyncio.shield(self._fetching[url])

    async def confirm(self, url: str) -> None:
        """Confirm a subscription. Raises OutboundUnavailable."""
        try:
            await self._get(url)
        except VerificationError as error:
            raise OutboundUnavailable("the subscription could not be confirmed") from error

    def _store(self, url: str, done: asyncio.Task[bytes]) -> None:
        del self._fetching[url]
        if done.cancelled() or done.exception() is not None:
            return
        self._certificates[url] = done.result()
        if len(self._certificates) > _CACHED:
            self._certificates.popitem(last=False)

    async def _get(self, url: str) -> bytes:
        # No error message holds the address: the address of a confirmation is a secret.
        if not url.startswith("https://"):
            raise VerificationError("what it refers to is not at an https address")
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._http.stream("GET", url, follow_redirects=False) as answer:
                if answer.status_code >= 500 or answer.status_code in (408, 429):
                    raise OutboundUnavailable(f"a host answered {answer.status_code}")
                if not answer.is_success:
                    raise VerificationError(f"what it refers to cannot be fetched ({answer.status_code})")
                return await _read_limited(answer)
        except httpx2.InvalidURL:
            raise VerificationError("what it refers to is not at a valid address") from None
        except (TimeoutError, httpx2.RequestError) as error:
            raise OutboundUnavailable(f"a host did not answer ({type(error).__name__})") from None


async def _read_limited(answer: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise VerificationError("what it refers to is too large")
    return bytes(content)
