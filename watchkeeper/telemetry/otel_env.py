"""Whether traces and metrics are exported, by the standard variables of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from watchkeeper.config.settings import SettingsError

Signal: TypeAlias = Literal["traces", "metrics"]

PROTOCOL = "http/protobuf"

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"

_WITH_CONTENT = {"true", "span_only", "span_and_event"}


@dataclass(frozen=True)
class Wanted:
    """What an operator asks for."""

    traces: bool = False
    metrics: bool = False
    content: bool = False
    """Spans hold what the model was told, what it said, and what tools were given and gave."""


def wanted(environment: Mapping[str, str]) -> Wanted:
    """Read the variables: nothing is exported unless an endpoint, or the exporter itself, is named.

    Raises SettingsError for what this build has no exporter for.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Wanted()
    content = environment.get(CONTENT, "").strip().lower() in _WITH_CONTENT
    return Wanted(_is_wanted("traces", environment), _is_wanted("metrics", environment), content)


def _is_wanted(signal: Signal, environment: Mapping[str, str]) -> bool:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    exporter = environment.get(variable, "").strip()
    if exporter not in ("", "otlp", "none"):
        raise SettingsError(f"{variable}={exporter}: there is no such exporter here; set it to otlp or none")
    _, endpoint = _either("ENDPOINT", signal, environment)
    if exporter == "none" or not (exporter or endpoint):
        return False
    name, protocol = _either("PROTOCOL", signal, environment)
    if protocol not in ("", PROTOCOL):
        raise SettingsError(
            f"{name}={protocol}: only {PROTOCOL} is supported; set it to that, and the endpoint to the collector's "
            "port for HTTP, usually 4318"
        )
    return True


def _either(name: str, signal: Signal, environment: Mapping[str, str]) -> tuple[str, str]:
    """Return the variable of one signal, where it is set, else that of all, with its value."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environment.get(variable, "").strip():
            return variable, value
    return "", ""
