"""What is known of model hosts: one table. A preset gives defaults for a model profile, and what its host refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

Feature: TypeAlias = Literal[
    "max_completion_tokens",
    "max_tokens",
    "stream",
    "an answer without a stream",
    "stream_options",
    "tool_choice",
    "tool_choice none",
    "forced tool_choice",
    "additionalProperties of tools",
    "a system message",
    "a user message after a tool message",
    "null content",
    "empty content",
    "added fields of messages",
    "call ids of other hosts",
    "calls without reasoning_content",
    "calls without a thought_signature",
    "several calls in a message",
]
"""A part of a request that some host refuses.

``max_completion_tokens``, ``max_tokens``: the fields for the limit of a completion; the second is the older one.
``stream``, ``tool_choice``: these fields, even with false and ``auto``. ``an answer without a stream``: the host only
streams. ``stream_options``: the usage of a stream.
``tool_choice none``: tools that the model may not call; also refused by a host that answers such a request with a call.
``forced tool_choice``: a demand to call a tool. ``additionalProperties of tools``: this field of their schemas.
``a user message after a tool message``: also one after a user message.
``null content``: that of a message that only holds calls. ``empty content``: an empty string instead. ``added fields of
messages``: all that OpenAI does not have.
"""

PresetName: TypeAlias = Literal["moonshot", "runware", "openai", "azure", "mistral", "vllm", "ollama", "openrouter"]


@dataclass(frozen=True)
class ModelDefaults:
    """Defaults for the models of a host whose name matches; None: as for any model."""

    pattern: str
    context_tokens: int | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    forced_choice_body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HostPreset:
    """What is known of one host, or of one kind of server."""

    base_url: str | None
    """None: the settings must give it."""
    domains: tuple[str, ...] = ()
    """A base URL at one of these domains, or below it, selects the preset without its name."""
    model: str | None = None
    """The model, if the settings name none. None: they must."""
    needs_key: bool = True
    stream: bool = False
    """Whether answers are streamed by default, because gateways of the host cut a connection without traffic."""
    context_tokens: int | None = None
    """The context window of every model. None: that of Kimi K2.6."""
    refuses: frozenset[Feature] = frozenset()
    models: tuple[ModelDefaults, ...] = ()


PRESETS: dict[PresetName, HostPreset] = {
    "moonshot": HostPreset(
        base_url="https://api.moonshot.ai/v1",
        domains=("moonshot.ai", "moonshot.cn"),
        model="kimi-k2.6",
        stream=True,
        refuses=frozenset({"calls without reasoning_content"}),
        models=(
            # Without "keep", the model does not see its reasoning of earlier rounds. A forced tool needs no thinking.
            ModelDefaults(
                r"kimi-k2\.6",
                extra_body={"thinking": {"type": "enabled", "keep": "all"}},
                forced_choice_body={"thinking": {"type": "disabled"}},
            ),
            ModelDefaults(r"kimi-k2\.5", forced_choice_body={"thinking": {"type": "disabled"}}),
            # Thinking is always on and kept; the field "thinking" belongs to K2.
            ModelDefaults(r"kimi-k3", context_tokens=1_048_576),
        ),
    ),
    "runware": HostPreset("https://api.runware.ai/v1", domains=("runware.ai",), model="moonshotai-kimi-k2-6"),
    "openai": HostPreset(
        "https://api.openai.com/v1", domains=("openai.com",), refuses=frozenset({"added fields of messages"})
    ),
    "azure": HostPreset(
        None,
        domains=("openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"),
        refuses=frozenset({"added fields of messages"}),
    ),
    "mistral": HostPreset(
        "https://api.mistral.ai/v1",
        domains=("mistral.ai",),
        refuses=frozenset(
            {
                "max_completion_tokens",
                "stream_options",  # it sends the usage unasked
                "a user message after a tool message",
                "added fields of messages",
                "call ids of other hosts",
            }
        ),
    ),
    "vllm": HostPreset("http://localhost:8000/v1", needs_key=False),
    "ollama": HostPreset("http://localhost:11434/v1", needs_key=False, context_tokens=32_768),
    "openrouter": HostPreset("https://openrouter.ai/api/v1", domains=("openrouter.ai",)),
}

NO_KEY = "none"
"""Sent to servers that need no key."""


def preset_of(base_url: object) -> PresetName | None:
    """Return the preset for the domain of a base URL."""
    try:
        host = (urlsplit(base_url).hostname or "") if isinstance(base_url, str) else ""
    except ValueError:
        return None
    for name, preset in PRESETS.items():
        if any(host == domain or host.endswith(f".{domain}") for domain in preset.domains):
            return name
    return None


def with_preset(profile: Mapping[str, Any]) -> dict[str, Any]:
    """Return the table of a model profile with the defaults of its preset; keys that are set stay.

    Raises ValueError if a preset that is named needs a key that is not set.
    """
    name = profile.get("preset") or preset_of(profile.get("base_url"))
    if name not in PRESETS:
        return dict(profile)
    preset = PRESETS[name]
    given = {key: value for key, value in profile.items() if value is not None}
    defaults: dict[str, Any] = {"base_url": preset.base_url, "name": preset.model}
    for key, value in defaults.items():
        if value is None and key not in given and "preset" in given:
            raise ValueError(f"the preset {name!r} has no default for {key}; set {key}")
    model = str(given.get("name", preset.model))
    for_model = next((one for one in preset.models if re.search(one.pattern, model)), ModelDefaults(""))
    defaults["stream"] = preset.stream or None
    defaults["context_tokens"] = for_model.context_tokens or preset.context_tokens
    if not preset.needs_key and not any("key" in key for key in given):
        defaults["api_key"] = NO_KEY
    bodies = {
        key: {**body, **given.get(key, {})}
        for key, body in (("extra_body", for_model.extra_body), ("forced_choice_body", for_model.forced_choice_body))
        if body and isinstance(given.get(key, {}), dict)
    }
    return {**{key: value for key, value in defaults.items() if value is not None}, **profile, **bodies, "preset": name}
