"""What the routes of the intake share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from temporalio.client import Client

from watchkeeper.admission import Admitted
from watchkeeper.alerts.source import Received, Source
from watchkeeper.intake.gate import Gate
from watchkeeper.intake.metrics import Metrics
from watchkeeper.intake.outside import Outside
from watchkeeper.settings import Settings

Admit: TypeAlias = Callable[[Client, Settings, Source[Any], Received, float], Awaitable[Sequence[Admitted]]]
"""Gives what a source said to Temporal, as ``watchkeeper.admission.admit`` does; raises where Temporal has not all."""


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
