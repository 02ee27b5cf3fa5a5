"""An intake on loopback for one test, and what is sent to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
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
    """Settings of an intake with all of these sources and two tokens, other tables in their places."""
    known: dict[str, Any] = {"services": {}, "sources": SOURCES, "intake": {"tokens": {"ada": TOKEN, "bob": OTHER}}}
    return build_settings(**{**known, **tables})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@dataclass
class Temporal:
    """Admits alerts as a test wants it; the intake's own tests are not about what Temporal makes of them."""

    answers: Sequence[DispatchResult] = ()
    error: Exception | None = None
    hangs: bool = False
    received: list[tuple[str, ParsedPayload, float]] = field(default_factory=list)

    async def admit(
        self, client: Client, settings: Settings, source: Source[Any], received: ParsedPayload, at: float
    ) -> Sequence[DispatchResult]:
        self.received.append((source.name, received, at))
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.answers


@asynccontextmanager
async def taking_in(
    client: Client, admit: DispatchAlerts, chosen: Settings | None = None, **options: Any
) -> AsyncIterator[AsyncClient]:
    """Serve an intake and give a client for it; further arguments are those of the app."""
    app = create_app(client, chosen or settings(), admit, **options)
    async with serve(app, "127.0.0.1", 0) as url, AsyncClient(base_url=url, timeout=20) as http:
        yield http
