"""What a worker counts, by the names of OpenTelemetry, which Prometheus writes its own way.

Every label is of a closed set: words of strangers would be kept for ever.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from watchkeeper.telemetry import semconv

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
"""These two as the conventions have them."""

STARTS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0)
"""Seconds until somebody looks: of an idle worker, of a busy one, of a queue."""

MODEL = semconv.REQUEST_MODEL


@dataclass(frozen=True)
class Instrument:
    """One thing that is counted or measured."""

    name: str
    kind: Kind
    unit: str
    """As OpenTelemetry writes it: ``s``, ``{token}``, ``USD``; what stands in braces is no unit to Prometheus."""
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_OPERATION = (semconv.OPERATION, semconv.PROVIDER, MODEL, semconv.SERVER_ADDRESS, semconv.SERVER_PORT)

DURATION = Instrument(
    "gen_ai.client.operation.duration",
    "histogram",
    "s",
    "Seconds that an attempt to ask a model took; error_type is empty where it answered.",
    (*_OPERATION, semconv.ERROR),
    SECONDS,
)
TOKEN_USAGE = Instrument(
    "gen_ai.client.token.usage",
    "histogram",
    "{token}",
    "Tokens of one completion, by type: input or output.",
    (*_OPERATION, semconv.TOKEN_TYPE),
    TOKENS,
)
RUNS = Instrument(
    "watchkeeper.runs",
    "counter",
    "{run}",
    "Investigations that were reported, by their outcome and by the alert source that started them, or person.",
    ("outcome", "source"),
)
FOLLOW_UPS = Instrument(
    "watchkeeper.follow_ups", "counter", "{answer}", "Follow-up questions that were answered.", ("outcome", "source")
)
ROUNDS = Instrument("watchkeeper.rounds", "counter", "{round}", "Completions that runs received.", (MODEL,))
CALLS = Instrument(
    "watchkeeper.tool.calls",
    "counter",
    "{call}",
    "Tool calls by what came of them; unavailable and failed attempts may be tried again.",
    ("tool", "status"),
)
TOOL_SECONDS = Instrument(
    "watchkeeper.tool.duration", "histogram", "s", "Seconds that an attempt of a tool took.", ("tool",), SECONDS
)
REPAIRS = Instrument(
    "watchkeeper.model.repairs",
    "counter",
    "{reply}",
    "What was put right of the replies of a model, or asked again, by kind.",
    (MODEL, "kind"),
)
REFUSALS = Instrument(
    "watchkeeper.model.refusals",
    "counter",
    "{refusal}",
    "Requests to which a model gave no completion, by reason.",
    (MODEL, "reason"),
)
USED = Instrument(
    "watchkeeper.tokens",
    "counter",
    "{token}",
    "Tokens that runs used; cached ones are part of input, reasoning ones of output.",
    (MODEL, "type"),
)
COST = Instrument("watchkeeper.cost", "counter", "USD", "US dollars that runs cost, where prices are set.", (MODEL,))
FIRST_REQUEST = Instrument(
    "watchkeeper.first_request", "histogram", "s", "Seconds from the start of a run to its first question.", (), STARTS
)
REPORTS = Instrument(
    "watchkeeper.reports",
    "counter",
    "{report}",
    "Attempts to deliver reports by destination and status: delivered, failed and tried again, refused for good.",
    ("destination", "status"),
)

ALL = (
    DURATION,
    TOKEN_USAGE,
    RUNS,
    FOLLOW_UPS,
    ROUNDS,
    CALLS,
    TOOL_SECONDS,
    REPAIRS,
    REFUSALS,
    USED,
    COST,
    FIRST_REQUEST,
    REPORTS,
)
