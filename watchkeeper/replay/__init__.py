"""Replay of recorded histories against the present workflow code."""
