"""What the standard variables switch on."""

from __future__ import annotations

import subprocess
import sys

import pytest

from watchkeeper.config.settings import SettingsError
from watchkeeper.telemetry.otel_env import CONTENT, Wanted, wanted

ALL, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PLACE = "http://collector:4318"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Wanted()),
        ({ALL: PLACE}, Wanted(traces=True, metrics=True)),
        ({ALL: PLACE, "OTEL_SDK_DISABLED": "TRUE"}, Wanted()),
        ({ALL: PLACE, "OTEL_METRICS_EXPORTER": "none"}, Wanted(traces=True)),
        ({TRACES: f"{PLACE}/v1/traces"}, Wanted(traces=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Wanted(traces=True)),
        ({ALL: PLACE, CONTENT: "true"}, Wanted(traces=True, metrics=True, content=True)),
        ({ALL: PLACE, CONTENT: "SPAN_ONLY"}, Wanted(traces=True, metrics=True, content=True)),
        ({ALL: PLACE, CONTENT: "EVENT_ONLY"}, Wanted(traces=True, metrics=True)),
        ({ALL: PLACE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, Wanted(traces=True, metrics=True)),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Wanted()),
    ],
    ids=str,
)
def test_the_variables_switch_on_what_they_name(variables: dict[str, str], expected: Wanted) -> None:
    assert wanted(variables) == expected


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin: there is no such exporter here"),
        ({ALL: PLACE, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "=grpc: only http/protobuf is supported"),
    ],
    ids=str,
)
def test_what_there_is_not_is_named_with_the_way_out(variables: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        wanted(variables)


def test_a_worker_that_exports_nothing_does_not_import_what_exports() -> None:
    look = "import sys, worker; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
