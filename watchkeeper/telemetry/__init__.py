"""Traces and metrics of a worker, by the OpenTelemetry conventions, and its HTTP endpoint for Prometheus.

Activities record all of it, workflow code none, so that a replay exports nothing twice.
"""
