"""Slack: messages, their updates, threads and the buttons on them."""
