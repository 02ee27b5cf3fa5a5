"""HTTP requests that the intake sends: fetch signing certificates and confirm SNS subscriptions."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import httpx2

from watchkeeper.alerts.verification import VerificationError
from watchkeeper.http.limited_client import LimitedClient, ResponseTooLarge

FETCH_SECONDS = 5.0
"""Time limit for one request in total."""

FETCH_BYTES = 64 * 2**10
"""Largest certificate or confirmation."""

_CACHED = 16
_AT_ONCE = 32


class OutboundUnavailable(Exception):
    """A host did not answer or had an error. A later request may succeed."""


class OutboundHttp:
    """Sends GET requests to https addresses that an alert source has checked. Follows no redirect."""

    def __init__(self, http: LimitedClient) -> None:
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
                # The oldest: strangers who name certificates that take long must not keep others from theirs.
                self._fetching.pop(next(iter(self._fetching))).cancel()
            self._fetching[url] = asyncio.create_task(self._get(url))
            self._fetching[url].add_done_callback(lambda done: self._store(url, done))
        task = self._fetching[url]
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise OutboundUnavailable("too many certificates are being fetched") from None
            raise

    async def confirm(self, url: str) -> None:
        """Confirm a subscription. Raises OutboundUnavailable."""
        try:
            await self._get(url)
        except VerificationError as error:
            raise OutboundUnavailable("the subscription could not be confirmed") from error

    def _store(self, url: str, done: asyncio.Task[bytes]) -> None:
        if self._fetching.get(url) is done:
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
            answer = await self._http.get(url)
        except httpx2.InvalidURL:
            raise VerificationError("what it refers to is not at a valid address") from None
        except ResponseTooLarge:
            raise VerificationError("what it refers to is too large") from None
        except httpx2.RequestError as error:
            raise OutboundUnavailable(f"a host did not answer ({type(error).__name__})") from None
        if answer.status_code >= 500 or answer.status_code in (408, 429):
            raise OutboundUnavailable(f"a host answered {answer.status_code}")
        if not answer.is_success:
            raise VerificationError(f"what it refers to cannot be fetched ({answer.status_code})")
        return answer.content


def outbound_client() -> LimitedClient:
    """Return a client with the limits of this module."""
    return LimitedClient(timeout=FETCH_SECONDS, seconds=FETCH_SECONDS, max_bytes=FETCH_BYTES)
