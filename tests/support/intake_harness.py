"""An intake on loopback for one test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from httpx2 import AsyncClient
from temporalio.client import Client

from tests.support.settings import build_settings
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.config.settings import Settings
from watchkeeper.intake.app import create_app
from watchkeeper.intake.dependencies import DispatchAlerts
from watchkeeper.intake.server import serve
from watchkeeper.runs.dispatch import DispatchResult

TOKEN = "ada-secret-1"
OTHER = "bob-secret-2"
SENDER = "sender-secret"

SOURCES: dict[str, Any] = {
    "prom": {"kind": "alertmanager", "tokens": [SENDER]},
    "door": {"kind": "alertmanager", "username": "am", "passwords": [SENDER]},
    "signed": {"kind": "pagerduty", "secrets": [SENDER]},
    "open": {"kind": "alertmanager", "unauthenticated": True},
}


def settings(**tables: Any) -> Settings:
    """Return settings with ``SOURCES`` and two tokens; ``tables`` replaces whole tables."""
    known: dict[str, Any] = {"services": {}, "sources": SOURCES, "intake": {"tokens": {"ada": TOKEN, "bob": OTHER}}}
    return build_settings(**{**known, **tables})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@dataclass
class Dispatcher:
    """Replaces ``dispatch_alerts``: returns fixed results, raises or hangs, and keeps what it received."""

    results: Sequence[DispatchResult] = ()
    error: Exception | None = None
    hangs: bool = False
    received: list[tuple[str, ParsedPayload, float]] = field(default_factory=list)

    async def dispatch(
        self, client: Client, settings: Settings, source: Source[Any], payload: ParsedPayload, received_at: float
    ) -> Sequence[DispatchResult]:
        self.received.append((source.name, payload, received_at))
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.results


@asynccontextmanager
async def running_intake(
    client: Client,
    dispatch: DispatchAlerts,
    chosen: Settings | None = None,
    *,
    limits: Mapping[str, Any] = MappingProxyType({}),
    **options: Any,
) -> AsyncIterator[AsyncClient]:
    """Serve an intake and yield an HTTP client for it.

    ``limits`` are the time limits of ``serve``, ``options`` further arguments of ``create_app``.
    """
    app = create_app(client, chosen or settings(), dispatch, **{"refusal_delay": 0.0, **options})
    async with serve(app, "127.0.0.1", 0, **limits) as url, AsyncClient(base_url=url, timeout=20) as http:
        yield http
