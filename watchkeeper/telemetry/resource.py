"""Who tells: the attributes of a process, which the standard variables overrule."""

from __future__ import annotations

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from watchkeeper import __version__
from watchkeeper.telemetry.semconv import AGENT
from watchkeeper.temporal.client import identity


def resource() -> Resource:
    """Describe this process, as OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say where they say something."""
    ours = {"service.name": AGENT, "service.version": __version__, "service.instance.id": identity()}
    told = OTELResourceDetector().detect()
    return Resource.create().merge(Resource(ours)).merge(told)
