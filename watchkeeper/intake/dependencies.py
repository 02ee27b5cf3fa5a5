"""What the routes of the intake share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from temporalio.client import Client

from watchkeeper.alerts.source import Received, Source
from watchkeeper.config.settings import Settings
from watchkeeper.intake.concurrency_limit import Gate
from watchkeeper.intake.metrics import Metrics
from watchkeeper.intake.outbound_http import Outside
from watchkeeper.runs.dispatch import Admitted

Admit: TypeAlias = Callable[[Client, Settings, Source[Any], Received, float], Awaitable[Sequence[Admitted]]]
"""Gives alerts to Temporal (``watchkeeper.runs.dispatch.admit``). Raises if Temporal did not take all of them."""


@dataclass(frozen=True)
class Intake:
    """What the routes of one intake share."""

    client: Client
    settings: Settings
    admit: Admit
    sources: Mapping[str, Source[Any]]
    outside: Outside
    metrics: Metrics
    gate: Gate
