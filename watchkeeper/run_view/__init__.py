"""A view of one run, read from its history, for every renderer: terminal, JSON, report, Slack."""
