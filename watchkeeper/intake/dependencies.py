"""What the routes of the intake share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from temporalio.client import Client

from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.config.settings import Settings
from watchkeeper.intake.body_dispatch import BodyDispatcher
from watchkeeper.intake.concurrency_limit import DispatchSlots
from watchkeeper.intake.metrics import IntakeMetrics
from watchkeeper.intake.outbound_http import OutboundHttp
from watchkeeper.intake.refused_alerts import RefusedAlerts
from watchkeeper.intake.refused_requests import Refusals
from watchkeeper.runs.dispatch import DispatchResult

DispatchAlerts: TypeAlias = Callable[
    [Client, Settings, Source[Any], ParsedPayload, float], Awaitable[Sequence[DispatchResult]]
]
"""``watchkeeper.runs.dispatch.dispatch_alerts`` or a wrapper. Raises if Temporal did not accept every alert."""


@dataclass(frozen=True)
class Intake:
    """What the routes of one intake share."""

    client: Client
    settings: Settings
    sources: Mapping[str, Source[Any]]
    outbound: OutboundHttp
    metrics: IntakeMetrics
    slots: DispatchSlots
    refusals: Refusals
    refused: RefusedAlerts
    bodies: BodyDispatcher
    turn_seconds: float
    """How long a large body may wait until it is parsed."""
    parsing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Large bodies are parsed one at a time, because each takes memory."""
