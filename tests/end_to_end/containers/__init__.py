"""The Compose files on a real container engine: `make compose`."""
