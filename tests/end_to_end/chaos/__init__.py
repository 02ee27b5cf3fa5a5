"""Fault injection: kill, freeze or disconnect every process around a run at every event of its history."""
