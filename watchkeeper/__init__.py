"""Watchkeeper, a durable on-call agent on Temporal."""
