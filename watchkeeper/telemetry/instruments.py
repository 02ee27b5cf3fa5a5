"""The metrics of a worker: names, units and histogram buckets.

The names are OpenTelemetry's. The Prometheus name follows from name and unit (``docs/telemetry.md`` lists both, and the
labels). Every label has a closed set of values, because a metrics backend keeps each combination of values as a series.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
"""Both as in OpenTelemetry's conventions for generative AI metrics."""

FIRST_REQUEST_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0)
"""From an idle worker to an incident that waits in a queue."""


class ReportCheckInstruments:
    """The instruments of what code finds in reports."""

    def __init__(self, meter: Meter) -> None:
        self.reviews = meter.create_counter(
            "watchkeeper.reviews",
            "{review}",
            "Reviews of conclusions, by result: accepted, unsupported (some claims are) or refused.",
        )
        self.unsupported_claims = meter.create_counter(
            "watchkeeper.unsupported_claims",
            "{claim}",
            "Claims of reports and answers that nothing supports, by kind; each report is counted once.",
        )
        self.unsupported_reports = meter.create_counter(
            "watchkeeper.unsupported_reports", "{report}", "Reports and answers with such claims."
        )


class WorkerInstruments:
    """The instruments of one worker process."""

    def __init__(self, meter: Meter) -> None:
        self.report_checks = ReportCheckInstruments(meter)
        self.operation_duration = meter.create_histogram(
            "gen_ai.client.operation.duration",
            "s",
            "Duration of one model request; error_type is empty if the model answered.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.token_usage = meter.create_histogram(
            "gen_ai.client.token.usage",
            "{token}",
            "Tokens of one completion, by type: input or output.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self.runs = meter.create_counter(
            "watchkeeper.runs", "{run}", "Reported investigations, by outcome and alert source (or person)."
        )
        self.follow_ups = meter.create_counter(
            "watchkeeper.follow_ups",
            "{answer}",
            "Answered follow-up questions, by outcome and alert source (or person).",
        )
        self.rounds = meter.create_counter("watchkeeper.rounds", "{round}", "Completions received by runs.")
        self.tool_calls = meter.create_counter(
            "watchkeeper.tool.calls", "{call}", "Tool call attempts, by status; unavailable and failed may be retried."
        )
        self.tool_duration = meter.create_histogram(
            "watchkeeper.tool.duration",
            "s",
            "Duration of one tool call attempt.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self.repairs = meter.create_counter(
            "watchkeeper.model.repairs", "{reply}", "Defects of model replies that were repaired or retried, by kind."
        )
        self.refusals = meter.create_counter(
            "watchkeeper.model.refusals", "{refusal}", "Model requests without a completion, by reason."
        )
        self.tokens = meter.create_counter(
            "watchkeeper.tokens",
            "{token}",
            "Tokens used by runs, by type; input includes cached, output includes reasoning.",
        )
        self.cost = meter.create_counter(
            "watchkeeper.cost", "usd", "Cost of runs in US dollars, for models with configured prices."
        )
        self.first_request = meter.create_histogram(
            "watchkeeper.first_request",
            "s",
            "Time from the start of a run to its first model request.",
            explicit_bucket_boundaries_advisory=FIRST_REQUEST_SECONDS,
        )
        self.reports = meter.create_counter(
            "watchkeeper.reports",
            "{report}",
            "Report delivery attempts, by destination and status; failed is retried, refused is final.",
        )
