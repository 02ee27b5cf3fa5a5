"""The OpenTelemetry resource: attributes of this process."""

from __future__ import annotations

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from watchkeeper import __version__
from watchkeeper.telemetry.semconv import AGENT
from watchkeeper.temporal.client import identity


def resource() -> Resource:
    """Return the resource. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES replace our values."""
    ours = {"service.name": AGENT, "service.version": __version__, "service.instance.id": identity()}
    configured = OTELResourceDetector().detect()
    return Resource.create().merge(Resource(ours)).merge(configured)
