"""The standard variables that switch exports on and off."""

from __future__ import annotations

import subprocess
import sys

import pytest

from watchkeeper.config.settings import SettingsError
from watchkeeper.telemetry.otel_env import CAPTURE_CONTENT, ExportSettings, export_settings

ALL, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
COLLECTOR = "http://collector:4318"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ExportSettings()),
        ({ALL: COLLECTOR}, ExportSettings(traces=True, metrics=True)),
        ({ALL: COLLECTOR, "OTEL_SDK_DISABLED": "TRUE"}, ExportSettings()),
        ({ALL: COLLECTOR, "OTEL_METRICS_EXPORTER": "none"}, ExportSettings(traces=True)),
        ({TRACES: f"{COLLECTOR}/v1/traces"}, ExportSettings(traces=True)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ExportSettings(traces=True)),
        ({ALL: COLLECTOR, CAPTURE_CONTENT: "true"}, ExportSettings(traces=True, metrics=True, content=True)),
        ({ALL: COLLECTOR, CAPTURE_CONTENT: "SPAN_ONLY"}, ExportSettings(traces=True, metrics=True, content=True)),
        ({ALL: COLLECTOR, CAPTURE_CONTENT: "EVENT_ONLY"}, ExportSettings(traces=True, metrics=True)),
        ({ALL: COLLECTOR, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, ExportSettings(traces=True, metrics=True)),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ExportSettings()),
    ],
    ids=str,
)
def test_the_variables_select_what_is_exported(variables: dict[str, str], expected: ExportSettings) -> None:
    assert export_settings(variables) == expected


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER=zipkin: this exporter is not supported"),
        ({ALL: COLLECTOR, "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, "=grpc: only http/protobuf is supported"),
    ],
    ids=str,
)
def test_an_unsupported_value_is_refused(variables: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        export_settings(variables)


def test_a_worker_without_exports_does_not_import_opentelemetry() -> None:
    code = "import sys, worker; print([name for name in sys.modules if name.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
