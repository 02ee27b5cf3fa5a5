"""The language model: HTTP client, error classification, completions, tool calls, conversation and token usage."""
