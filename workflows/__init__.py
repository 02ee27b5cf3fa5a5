"""Workflow code: pure functions of their histories."""
