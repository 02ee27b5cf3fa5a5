"""What the routes of the intake share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from temporalio.client import Client

from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.config.settings import Settings
from watchkeeper.intake.concurrency_limit import DispatchSlots
from watchkeeper.intake.metrics import IntakeMetrics
from watchkeeper.intake.outbound_http import OutboundHttp
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
    dispatch: DispatchAlerts
    sources: Mapping[str, Source[Any]]
    outbound: OutboundHttp
    metrics: IntakeMetrics
    slots: DispatchSlots
