"""Watchkeeper, a durable on-call agent on Temporal."""

__version__ = "0.1.0"
