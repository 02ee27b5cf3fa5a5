"""The intake: what alerts and people's programs speak to, over HTTP."""
