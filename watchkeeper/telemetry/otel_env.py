"""Reads from the standard OpenTelemetry variables whether traces, metrics and message content are exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from watchkeeper.config.settings import SettingsError

Signal: TypeAlias = Literal["traces", "metrics"]

PROTOCOL = "http/protobuf"

CAPTURE_CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_WITH_CONTENT = {"true", "span_only", "span_and_event"}


@dataclass(frozen=True)
class ExportSettings:
    """What is exported."""

    traces: bool = False
    metrics: bool = False
    content: bool = False
    """Spans contain the messages of the model, and the arguments and results of tools."""


def export_settings(environment: Mapping[str, str]) -> ExportSettings:
    """Read the variables. Nothing is exported unless an endpoint or an exporter is named.

    Raises SettingsError for an exporter or a protocol that is not supported.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ExportSettings()
    content = environment.get(CAPTURE_CONTENT, "").strip().lower() in _WITH_CONTENT
    return ExportSettings(_is_exported("traces", environment), _is_exported("metrics", environment), content)


def _is_exported(signal: Signal, environment: Mapping[str, str]) -> bool:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    exporter = environment.get(variable, "").strip()
    if exporter not in ("", "otlp", "none"):
        raise SettingsError(f"{variable}={exporter}: this exporter is not supported; set it to otlp or none")
    _, endpoint = _first_set("ENDPOINT", signal, environment)
    if exporter == "none" or not (exporter or endpoint):
        return False
    name, protocol = _first_set("PROTOCOL", signal, environment)
    if protocol not in ("", PROTOCOL):
        raise SettingsError(
            f"{name}={protocol}: only {PROTOCOL} is supported; set it to that, and the endpoint to the collector's "
            "port for HTTP, usually 4318"
        )
    return True


def _first_set(name: str, signal: Signal, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return name and value of the variable for this signal, else of the one for all signals; empty: neither is set."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environment.get(variable, "").strip():
            return variable, value
    return "", ""
