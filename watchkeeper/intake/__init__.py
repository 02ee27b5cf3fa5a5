"""The intake: the HTTP process that receives alerts and serves the API for runs."""
