"""What hosts refuse of a request, each in the words and the JSON shape of a real host, and what is learnt from it."""

from __future__ import annotations

import json

import pytest

from tests.support.asking import OPENING, call, round_of, user
from watchkeeper.config.host_presets import Feature
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.errors import error_from_response
from watchkeeper.llm.host_dialect import CallIdPrefix, Lesson, MessageField
from watchkeeper.llm.refused_features import (
    demands_stream,
    forbids_stream,
    refused_in_messages,
    refuses_field,
    refuses_schema_field,
)

MESSAGES: list[JsonObject] = [
    *OPENING,
    *round_of(
        call("functions.look:0", index=0, extra_content={"google": {}}),
        call("functions.look:1"),
        reasoning_content="Deploys first.",
        reasoning="Hm.",
        reasoning_details=[{"text": "…"}],
    ),
    *round_of(call("call_" + "0" * 59)),
    user("Is it the database?"),
]

RUST = "Failed to deserialize the JSON body into the target type: "
KNOWN = "expected one of `messages`, `model`, `max_completion_tokens`, `stream`, `reasoning_content` at line 1 column 9"
PROTO = "Invalid JSON payload received. Unknown name \"{}\" at '{}': Cannot find field."


def said(body: object) -> str:
    """Return what is searched of a refusal with this body."""
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return error_from_response(400, {}, raw).said


def openai(message: str, **fields: object) -> JsonObject:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None, **fields}}


def vllm(message: str) -> JsonObject:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


def fastapi(*errors: tuple[list[str | int], str]) -> JsonObject:
    return {"detail": [{"type": "value_error", "loc": loc, "msg": text, "input": {}} for loc, text in errors]}


def pydantic_text(*loc: str | int) -> str:
    """Return the errors of older vLLM: a Python list as text, with a part of the request."""
    request = "'input': {'stream': False, 'max_completion_tokens': 16000, 'reasoning_content': ''}"
    return f"[{{'type': 'extra_forbidden', 'loc': {loc}, 'msg': 'Extra inputs are not permitted', {request}}}]"


EXTRA = "Extra inputs are not permitted"

FIELDS: list[tuple[str, object]] = [
    ("max_completion_tokens", openai("Unrecognized request argument supplied: max_completion_tokens")),
    ("max_completion_tokens", vllm(pydantic_text("body", "max_completion_tokens"))),
    ("max_completion_tokens", {"message": "#: extraneous key [max_completion_tokens] is not permitted"}),
    ("max_completion_tokens", [openai(PROTO.format("max_completion_tokens", "body"))]),
    (
        "max_completion_tokens",
        {"error": "Bad Request", "message": "body must NOT have additional properties: max_completion_tokens"},
    ),
    (
        "max_completion_tokens",
        openai("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."),
    ),
    ("max_completion_tokens", openai("max_tokens and max_completion_tokens cannot both be set")),
    ("max_completion_tokens", openai("Please set only one of max_tokens or max_completion_tokens.")),
    (
        "max_completion_tokens",
        {"errors": [{"message": "Additional properties are not allowed ('max_completion_tokens' was unexpected)"}]},
    ),
    ("stream_options", f"{RUST}unknown field `stream_options`, {KNOWN}"),
    ("stream_options", fastapi((["body", "stream_options", "include_usage"], EXTRA))),
    ("stream", openai("Unsupported value: 'stream' does not support true with this model.", param="stream")),
    ("tool_choice", openai("Unrecognized request argument supplied: tool_choice")),
]
OTHERS = {"max_completion_tokens", "stream_options", "stream", "tool_choice", "reasoning_content", "temperature"}


@pytest.mark.parametrize(("field", "body"), FIELDS)
def test_the_refused_field_is_found_and_no_other(field: str, body: object) -> None:
    assert [name for name in OTHERS if refuses_field(said(body), name)] == [field]


NULL: Feature = "null content"
ORDER: Feature = "a user message after a tool message"
SYSTEM: Feature = "a system message"
IDS: Feature = "call ids of other hosts"
SINGLE: Feature = "several calls in a message"
ASSISTANT: list[str | int] = ["body", "messages", 2, "assistant"]

REFUSALS: list[tuple[Lesson, object]] = [
    (MessageField("reasoning_content"), fastapi(([*ASSISTANT, "reasoning_content"], EXTRA))),
    (MessageField("reasoning_content"), openai("'messages.2' : property 'reasoning_content' is unsupported")),
    (MessageField("reasoning_content"), openai(f"{EXTRA}, field: 'messages[2].reasoning_content', value: 'x'")),
    (
        MessageField("reasoning_content"),
        openai(
            "The reasoning_content is an intermediate result for display purposes only and will not be included in the "
            "context for inference. Please remove the reasoning_content from your message to reduce network traffic."
        ),
    ),
    (MessageField("reasoning_details"), f"{RUST}messages[2]: unknown field `reasoning_details`, {KNOWN}"),
    (MessageField("reasoning_details"), vllm(pydantic_text("body", "messages", 2, "reasoning_details"))),
    (MessageField("index"), openai("('messages.2.tool_calls.0' : property 'index' is unsupported)")),
    (MessageField("extra_content"), [openai(PROTO.format("extra_content", "messages[2].tool_calls[0]"))]),
    (MessageField("reasoning"), fastapi((["body", "messages", 0], "odd"), ([*ASSISTANT, "reasoning"], EXTRA))),
    ("added fields of messages", openai("messages: Additional properties are not allowed")),
    (NULL, openai("Invalid value for 'content': expected a string, got null.", param="messages.[2].content")),
    (NULL, openai("invalid message content type: <nil>")),
    (NULL, f"{RUST}messages[2]: invalid type: null, expected a string at line 1 column 345"),
    (NULL, f"{RUST}messages[2]: data did not match any variant of untagged enum MessageBody at line 1 column 9"),
    (NULL, vllm('can only concatenate str (not "NoneType") to str')),
    (NULL, vllm("object of type 'NoneType' has no len()")),
    (NULL, vllm("'NoneType' object is not iterable")),
    (NULL, openai("Value is not callable: null at row 12, column 30")),
    (NULL, openai("All non-assistant messages must contain 'content'")),
    (NULL, fastapi(([*ASSISTANT, "content"], "Input should be a valid string"))),
    (ORDER, vllm("Conversation roles must alternate user/assistant/user/assistant/...")),
    (ORDER, {"error": 'Error rendering prompt with jinja template: "Conversation roles must alternate".'}),
    (ORDER, {"message": "A conversation must alternate between user and assistant roles."}),
    (ORDER, openai('roles must alternate between "user" and "assistant", but found multiple "user" roles in a row')),
    (ORDER, openai("A user message cannot follow a tool message")),
    (ORDER, openai("'user' message is not allowed to directly follow 'tool' message")),
    (ORDER, openai("Expected 'assistant' role after 'tool', but got 'user'")),
    (ORDER, openai("messages[7]: role 'user' cannot come directly after 'tool'")),
    (SYSTEM, vllm("System role not supported")),
    (SYSTEM, openai("Unsupported value: 'messages[0].role' does not support 'system' with this model.")),
    (SYSTEM, {"message": "This model doesn't support system messages. Try again without a system message."}),
    (SYSTEM, openai("invalid role: system")),
    (IDS, vllm("Tool call id was functions.look:0 but must be a-z, A-Z, 0-9, with a length of 9.")),
    (IDS, openai("tool_call_id must only contain letters, numbers, underscores and hyphens")),
    (IDS, openai("Invalid tool_call_id: functions.look:0")),
    (IDS, fastapi(([*ASSISTANT, "tool_calls", 0, "id"], "String should match pattern '^[a-zA-Z0-9]{9}$'"))),
    (IDS, fastapi((["body", "messages", 3, "tool", "tool_call_id"], "String should have at most 40 characters"))),
    (
        CallIdPrefix("call_"),
        openai("Invalid 'messages[2].tool_calls[0].id': 'functions.x'. Expected an ID that begins with 'call_'."),
    ),
    (CallIdPrefix("fc"), openai("Invalid 'input[2].id': 'functions.x'. Expected an ID that begins with 'fc'.")),
    (SINGLE, vllm("This model only supports single tool-calls at once!")),
    (SINGLE, openai("assistant messages may contain at most one tool call")),
    (SINGLE, {"message": "The model does not support multiple tool calls in one message"}),
]


@pytest.mark.parametrize(("lesson", "body"), REFUSALS)
def test_what_is_refused_of_the_messages(lesson: Lesson, body: object) -> None:
    text = said(body)
    expected = CallIdPrefix(lesson.text.lower()) if isinstance(lesson, CallIdPrefix) else lesson
    assert refused_in_messages(text, MESSAGES) == expected
    assert not refuses_field(text, "max_completion_tokens")
    assert not demands_stream(text)
    assert not forbids_stream(text)


@pytest.mark.parametrize(
    "body",
    [
        openai("Unsupported value: 'temperature' does not support 0.6 with this model.", param="temperature"),
        openai("Invalid 'tools[0].function.description': string too long. Expected at most 1024."),
        openai("Unknown parameter: 'enable_thinking'."),
        openai("Invalid parameter: messages with role 'tool' must be a response to a message with 'tool_calls'."),
        openai("Invalid parameter: 'tool_call_id' of 'x' not found in 'tool_calls' of previous message."),
        openai("The following tool_call_ids did not have response messages: functions.look:0"),
        vllm('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        {"error": {"message": "No endpoints found that support tool use.", "code": 404}},
    ],
)
def test_other_refusals_say_nothing_about_messages_or_streams(body: object) -> None:
    text = said(body)
    assert refused_in_messages(text, MESSAGES) is None
    assert not any((demands_stream(text), forbids_stream(text), refuses_schema_field(text)))
    assert not any(refuses_field(text, name) for name in OTHERS - {"temperature"})


@pytest.mark.parametrize(
    "message",
    [
        "This model only support stream mode, please enable the stream parameter to access the model.",
        "Stream must be set to true",
        "stream must be true for this model",
        "Non-streaming requests are not supported. Set stream=true.",
        "This model only supports streaming. Please set stream to true.",
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "This model does not support non-streaming output.",
    ],
)
def test_a_host_that_only_streams(message: str) -> None:
    assert demands_stream(said(openai(message)))


@pytest.mark.parametrize(
    "message",
    [
        "This model doesn't support tool use in streaming mode.",
        "Streaming is not supported for this model.",
        "Streaming responses are not supported with tools",
        "Your organization must be verified to stream this model.",
    ],
)
def test_a_host_that_does_not_stream(message: str) -> None:
    assert forbids_stream(said(openai(message)))
    assert not demands_stream(said(openai(message)))


def test_a_host_that_does_not_know_closed_schemas() -> None:
    where = "tools[0].function_declarations[0].parameters"
    assert refuses_schema_field(said([openai(PROTO.format("additionalProperties", where))]))
