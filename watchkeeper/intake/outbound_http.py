"""What the intake fetches: certificates that sign messages, and addresses that confirm a subscription."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import httpx2

from watchkeeper.alerts.verification import VerificationError

FETCH_SECONDS = 5.0
"""For one fetch, in all."""

_MOST_BYTES = 64 * 2**10
_KEPT = 16
_AT_ONCE = 8


class OutboundUnavailable(Exception):
    """A host did not answer, or could not; it may the next time."""


class OutboundHttp:
    """Fetches what a source has checked the address of; an https address as it is given, and no other."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[bytes]] = {}

    async def certificate(self, url: str) -> bytes:
        """Fetch a certificate, or give the one that is kept.

        A fetch goes on when the request that began it is over its time, so that the sender's next one finds it.

        Raises VerificationError where there is none, OutboundUnavailable where nobody can tell.
        """
        if url in self._kept:
            self._kept.move_to_end(url)
            return self._kept[url]
        if url not in self._fetching:
            if len(self._fetching) >= _AT_ONCE:
                raise OutboundUnavailable("too many certificates are being fetched")
            task = self._fetching[url] = asyncio.create_task(self._get(url))
            task.add_done_callback(lambda done: self._keep(url, done))
        return await asyncio.shield(self._fetching[url])

    async def confirm(self, url: str) -> None:
        """Confirm a subscription. Raises OutboundUnavailable."""
        try:
            await self._get(url)
        except VerificationError as error:
            raise OutboundUnavailable("the subscription could not be confirmed") from error

    def _keep(self, url: str, done: asyncio.Task[bytes]) -> None:
        del self._fetching[url]
        if done.cancelled() or done.exception() is not None:
            return
        self._kept[url] = done.result()
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _get(self, url: str) -> bytes:
        # No error tells the address: that of a confirmation is a secret.
        if not url.startswith("https://"):
            raise VerificationError("what it refers to is not at an https address")
        try:
            async with asyncio.timeout(FETCH_SECONDS), self._http.stream("GET", url, follow_redirects=False) as answer:
                if answer.status_code >= 500 or answer.status_code in (408, 429):
                    raise OutboundUnavailable(f"a host answered {answer.status_code}")
                if not answer.is_success:
                    raise VerificationError(f"what it refers to cannot be fetched ({answer.status_code})")
                return await _capped(answer)
        except httpx2.InvalidURL:
            raise VerificationError("what it refers to is not at an address") from None
        except (TimeoutError, httpx2.RequestError) as error:
            raise OutboundUnavailable(f"a host did not answer ({type(error).__name__})") from None


async def _capped(answer: httpx2.Response) -> bytes:
    content = bytearray()
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > _MOST_BYTES:
            raise VerificationError("what it refers to is too large")
    return bytes(content)
