"""The options and tools of a request in the dialects of hosts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.config.host_presets import Feature
from watchkeeper.config.sections import ModelProfile
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.host_dialect import Dialect
from watchkeeper.llm.host_request import Prompt, render_request, streams

CLOSED: JsonObject = {"type": "object", "properties": {}, "additionalProperties": False}
PARAMETERS: JsonObject = {**CLOSED, "properties": {"at": {"type": "array", "items": CLOSED}}}
TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look.", "parameters": PARAMETERS}}]


def profile(**options: Any) -> ModelProfile:
    return ModelProfile.model_validate({"base_url": "http://host/v1", "name": "m", "api_key": "k-12345678"} | options)


def sent(*refused: Feature, **options: Any) -> JsonObject:
    prompt = Prompt(b'{"role":"user","content":"Hi."}', "", "", canonical_json(TOOLS), {}, None)
    body: JsonObject = json.loads(render_request(profile(**options), Dialect(frozenset(refused)), prompt, 100))
    return body


def test_tools_are_sent_as_recorded_unless_the_host_refuses_closed_schemas() -> None:
    assert sent()["tools"] == TOOLS
    assert sent("additionalProperties of tools")["tools"] == json.loads(
        json.dumps(TOOLS).replace(', "additionalProperties": false', "")
    )


@pytest.mark.parametrize(
    ("stream", "refused", "fields"),
    [
        (False, [], {"stream": False}),
        (True, [], {"stream": True, "stream_options": {"include_usage": True}}),
        (True, ["stream_options"], {"stream": True}),
        (True, ["stream"], {}),
        (False, ["an answer without a stream", "stream_options"], {"stream": True}),
        (False, ["an answer without a stream", "stream"], {}),
    ],
)
def test_how_an_answer_is_streamed(stream: bool, refused: list[Feature], fields: JsonObject) -> None:
    body = sent(*refused, stream=stream)
    assert {name: body[name] for name in ("stream", "stream_options") if name in body} == fields
    assert streams(profile(stream=stream), Dialect(frozenset(refused))) is body.get("stream", False)
