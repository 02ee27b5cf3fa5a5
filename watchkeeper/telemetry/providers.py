"""Who serves a model, as the conventions name it."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

_PROVIDERS = {
    "openai.azure.com": "azure.ai.openai",
    "openai.com": "openai",
    "anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "mistral.ai": "mistral_ai",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "perplexity.ai": "perplexity",
    "cohere.com": "cohere",
    "x.ai": "x_ai",
}
"""The providers that the conventions name, by the end of their hosts' names."""


class Server(NamedTuple):
    """A host of models."""

    provider: str
    address: str
    port: int


def server_of(base_url: str) -> Server:
    """Tell the provider at an address: one that the conventions do not name goes by the name of its host."""
    parts = urlsplit(base_url)
    address = parts.hostname or ""
    known = (name for end, name in _PROVIDERS.items() if f".{address}".endswith(f".{end}"))
    return Server(next(known, address), address, parts.port or (443 if parts.scheme == "https" else 80))
