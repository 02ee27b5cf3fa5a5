"""Replay of recorded histories with the current workflow code."""
