"""The provider of a model, by the names of the GenAI conventions."""

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
"""Provider names of the conventions, by host name suffix."""


class ModelServer(NamedTuple):
    """The server of a model."""

    provider: str
    address: str
    port: int


def model_server(base_url: str) -> ModelServer:
    """Return the server at a URL. A provider without a name in the conventions is named after its host."""
    parts = urlsplit(base_url)
    address = parts.hostname or ""
    known = (name for suffix, name in _PROVIDERS.items() if f".{address}".endswith(f".{suffix}"))
    return ModelServer(next(known, address), address, parts.port or (443 if parts.scheme == "https" else 80))
