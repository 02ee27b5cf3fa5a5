"""Settings: ``watchkeeper.toml``, environment variables and secret files."""
