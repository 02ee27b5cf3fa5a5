"""Requests that nothing proves: each is counted, logged without flooding the log, and answered late."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import Scope

from watchkeeper.intake.metrics import IntakeMetrics
from watchkeeper.text import one_line

log = logging.getLogger(__name__)

DELAY = 0.5
"""Seconds before a request with a wrong token is answered."""

MAX_DELAYED = 64
"""Requests that are delayed at once. Further ones are answered immediately: a delay must not use up memory."""

MAX_DELAYED_BYTES = 256 * 2**10
"""Largest body that is kept during a delay."""

LOG_SECONDS = 60.0
"""How often the same refusal of a client address is logged."""

_MAX_CLIENTS = 1_000
_REASON = 200


@dataclass
class _Repeated:
    logged_at: float
    unlogged: int = 0


class Refusals:
    """The refused requests of one intake."""

    def __init__(self, metrics: IntakeMetrics, delay: float = DELAY) -> None:
        self._metrics = metrics
        self._delay = delay
        self._delayed = 0
        self._repeated: OrderedDict[tuple[str, str], _Repeated] = OrderedDict()

    async def refuse(self, client: str, door: str, subject: str, reason: str, *, size: int = 0) -> None:
        """Count and log a refused request, and return after the delay.

        Args:
            client: Address of the client.
            door: Path that was asked for, without names from outside: the values of the metric are a closed set.
            subject: What was asked for, for the log: ``the source 'prom'``.
            reason: Why it is refused, for the log.
            size: Bytes of the body that the caller keeps.
        """
        self._metrics.count_refusal(door)
        self._log(client, door, f"refused a request of {subject}, from {client}: {one_line(reason, _REASON)}")
        if self._delayed >= MAX_DELAYED or size > MAX_DELAYED_BYTES:
            return
        self._delayed += 1
        try:
            await asyncio.sleep(self._delay)
        finally:
            self._delayed -= 1

    def _log(self, client: str, door: str, line: str) -> None:
        """Log a refusal. Of one client and door, only one is logged in a while, with the number of the others."""
        now = time.monotonic()
        repeated = self._repeated.pop((client, door), None)
        if repeated is not None and now - repeated.logged_at < LOG_SECONDS:
            repeated.unlogged += 1
            self._repeated[client, door] = repeated
            return
        more = f" ({repeated.unlogged} more since the last such line)" if repeated and repeated.unlogged else ""
        log.warning("%s%s", line, more)
        self._repeated[client, door] = _Repeated(now)
        if len(self._repeated) > _MAX_CLIENTS:
            self._repeated.popitem(last=False)


def client_address(scope: Scope) -> str:
    """Return the address of the client of a request, for the log."""
    client = scope.get("client")
    return str(client[0]) if client else "an unknown address"
