"""Slack: what its messages look like, how they are posted and found again, and what its buttons say."""
