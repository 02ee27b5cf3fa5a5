"""Alerts: the source interface, signature verification, severity and service lookup. Pure; the intake does the I/O."""
