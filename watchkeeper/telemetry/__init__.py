"""What Watchkeeper tells of itself: traces and metrics by the conventions of OpenTelemetry, and a page for Prometheus.

Everything here is made by the activities of a worker, never by workflow code, so that a replay tells nothing twice.
"""
