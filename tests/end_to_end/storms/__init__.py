"""Storms: a sender that retries delivers many groups of alerts while the receiving processes are killed."""
