"""Render a request from our records in the dialect of one host (pure). Equal records give equal bytes in each round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from watchkeeper.config.sections import ModelProfile
from watchkeeper.contracts import JsonObject, ToolChoice
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.host_dialect import Dialect
from watchkeeper.llm.host_messages import render_messages


class Prompt(NamedTuple):
    """A request, in the form that is the same for every model."""

    messages: bytes
    base: str
    """Digest of the conversation of the request before this one."""
    digest: str
    """Digest of the conversation."""
    tools: bytes | None
    """None: there are no tools."""
    parameters: Mapping[str, JsonObject]
    """The JSON schemas of all tools in the catalogue by name, to recognise a call that the model writes as text."""
    choice: ToolChoice | None
    """Absent: the model chooses. With ``none`` it must answer with text."""
    may_be_cut: bool = False
    """Whether to accept a reply to a part of the prompt, because the conversation cannot be made smaller."""

    @property
    def size(self) -> int:
        """Bytes of the messages and tools."""
        return len(self.messages) + len(self.tools or b"")

    @property
    def forces(self) -> bool:
        """Whether the model must call a tool."""
        return self.choice is not None and self.choice.mode in ("required", "named")

    @property
    def forbids(self) -> bool:
        """Whether the model may not call a tool."""
        return self.choice is not None and self.choice.mode == "none"


def offered_tools(dialect: Dialect, prompt: Prompt) -> bytes | None:
    """Return the tools that a request offers.

    Tools that the model may not call are offered all the same, because they belong to the prefix that hosts cache.
    """
    return None if prompt.forbids and dialect.refused & {"tool_choice", "tool_choice none"} else prompt.tools


def streams(profile: ModelProfile, dialect: Dialect) -> bool:
    """Return whether a completion is streamed."""
    return "stream" not in dialect.refused and (profile.stream or "an answer without a stream" in dialect.refused)


def render_request(profile: ModelProfile, dialect: Dialect, prompt: Prompt, limit: int | None) -> bytes:
    """Encode a request, messages first, so that consecutive requests share a prefix that hosts can cache.

    ``limit`` is that of the completion in tokens; None leaves it to the host.
    """
    options: JsonObject = {"model": profile.name, **_stream_fields(profile, dialect), **profile.extra_body}
    if limit is not None and dialect.limit_field is not None:
        options[dialect.limit_field] = limit
    offered = offered_tools(dialect, prompt)
    if offered:
        options |= _choice(profile, dialect, prompt.choice)
        if "additionalProperties of tools" in dialect.refused:
            offered = canonical_json(_open_schemas(json.loads(offered)))
    tools = (b'"tools":', offered, b",") if offered else ()
    return b"".join(
        (b'{"messages":[', render_messages(prompt.messages, dialect), b"],", *tools, canonical_json(options)[1:])
    )


def _open_schemas(value: object) -> object:
    """Return tools without the field ``additionalProperties`` of their schemas."""
    match value:
        case dict():
            return {
                key: _open_schemas(member)
                for key, member in value.items()
                if key != "additionalProperties" or not isinstance(member, bool)
            }
        case list():
            return [_open_schemas(entry) for entry in value]
        case _:
            return value


def _stream_fields(profile: ModelProfile, dialect: Dialect) -> JsonObject:
    """Return the fields for a stream. Some hosts stream unless the request says that they should not."""
    if "stream" in dialect.refused:
        return {}
    if not streams(profile, dialect):
        return {"stream": False}
    usage = {} if "stream_options" in dialect.refused else {"stream_options": {"include_usage": True}}
    return {"stream": True, **usage}


def _choice(profile: ModelProfile, dialect: Dialect, choice: ToolChoice | None) -> JsonObject:
    """Return the ``tool_choice`` of a request that offers tools."""
    if "tool_choice" in dialect.refused:
        return {}
    match choice:
        case ToolChoice(mode="none"):
            return {"tool_choice": "none"}
        case ToolChoice(mode="required") if "forced tool_choice" not in dialect.refused:
            return {"tool_choice": "required", **profile.forced_choice_body}
        case ToolChoice(mode="named", function=str(name)) if "forced tool_choice" not in dialect.refused:
            named = {"type": "function", "function": {"name": name}}
            return {"tool_choice": named, **profile.forced_choice_body}
        case _:
            return {"tool_choice": "auto"}
