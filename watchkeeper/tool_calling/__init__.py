"""Tool calls: argument parsing, JSON schema, execution and result encoding."""
