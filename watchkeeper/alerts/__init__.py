"""Alerts: the source interface, signature verification, severity, service matching. Pure; the intake does the I/O."""
