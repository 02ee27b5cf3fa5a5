"""Temporal: client, data converter, search attributes, activity options, sandbox and the embedded dev server."""
