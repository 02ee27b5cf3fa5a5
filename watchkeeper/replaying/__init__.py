"""Recorded histories, put to the workflow code of today, to see whether it still does what they say."""
