"""HTTP to other hosts: a client that limits every response in size and time, and which responses are retried."""
