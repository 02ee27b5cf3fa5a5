from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from tests.support.model_requests import HEALTH, refusal, reply_message, request, tool
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import always, says

TEXT = {"type": "string"}
CLOSED = {"type": "object", "properties": {"a": TEXT}, "required": ["a"], "additionalProperties": False}


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with ScriptedModel(always(says("fine"), without_tools=says("done"))).serve() as base_url:
        yield base_url


def nested(depth: int) -> JsonObject:
    return TEXT if depth == 0 else {"type": "array", "items": nested(depth - 1)}


@pytest.mark.parametrize(
    "argument",
    [
        TEXT,
        {"type": "string", "description": "Which one.", "enum": ["a", "b"]},
        {"type": "integer", "minimum": 1, "maximum": 1440},
        {"type": "number", "minimum": 0.5},
        {"type": "boolean"},
        {"type": "array", "items": CLOSED},
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"description": "One of two.", "anyOf": [TEXT, {"type": "integer"}]},
        nested(3),
    ],
)
async def test_the_portable_subset(http: AsyncClient, url: str, argument: JsonObject) -> None:
    assert await reply_message(http, url, request(tools=[tool("look", x=argument)]))


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({}, "type is not defined or not plain: None"),
        ({"type": ["string", "null"]}, "type is not defined or not plain: ['string', 'null']"),
        ({"type": "null"}, "type is not defined or not plain: 'null'"),
        ({"$ref": "#/$defs/X"}, "type is not defined"),
        ({"type": "string", "$ref": "#/$defs/X"}, "unsupported keyword '$ref'"),
        ({"type": "string", "default": "a"}, "unsupported keyword 'default'"),
        ({"type": "string", "title": "A"}, "unsupported keyword 'title'"),
        ({"type": "string", "const": "a"}, "unsupported keyword 'const'"),
        ({"type": "string", "pattern": "a"}, "unsupported keyword 'pattern'"),
        ({"type": "string", "format": "uuid"}, "unsupported keyword 'format'"),
        ({"type": "string", "minLength": 1}, "unsupported keyword 'minLength'"),
        ({"type": "string", "enum": []}, "'enum' takes 1 to 500 strings"),
        ({"type": "string", "enum": ["a", None]}, "'enum' takes 1 to 500 strings"),
        ({"type": "string", "enum": [f"s{i}" for i in range(501)]}, "'enum' takes 1 to 500 strings"),
        ({"type": "integer", "enum": [1]}, "unsupported keyword 'enum'"),
        ({"type": "integer", "exclusiveMinimum": 0}, "unsupported keyword 'exclusiveMinimum'"),
        ({"type": "integer", "multipleOf": 2}, "unsupported keyword 'multipleOf'"),
        ({"type": "integer", "minimum": "1"}, "'minimum' must be a number"),
        ({"type": "array"}, "a schema is expected, got None"),
        ({"type": "array", "items": TEXT, "uniqueItems": True}, "unsupported keyword 'uniqueItems'"),
        ({"type": "array", "prefixItems": [TEXT]}, "unsupported keyword 'prefixItems'"),
        ({"type": "object"}, "'properties' with at most 100 names is expected"),
        (CLOSED | {"additionalProperties": True}, "'additionalProperties' must be false"),
        ({k: v for k, v in CLOSED.items() if k != "additionalProperties"}, "'additionalProperties' must be false"),
        (CLOSED | {"required": ["b"]}, "'required' names what 'properties' lacks: ['b']"),
        (CLOSED | {"properties": {f"p{i}": TEXT for i in range(101)}}, "at most 100 names"),
        (CLOSED | {"$defs": {}}, "unsupported keyword '$defs'"),
        ({"anyOf": [TEXT], "default": None}, "not allowed beside 'anyOf': default"),
        ({"anyOf": [TEXT], "type": "string"}, "not allowed beside 'anyOf': type"),
        ({"anyOf": [TEXT, {"type": "null"}]}, "type is not defined or not plain: 'null'"),
        ({"anyOf": []}, "'anyOf' takes 1 to 10 branches"),
        ({"oneOf": [TEXT]}, "type is not defined"),
        ({"type": "string", "description": 1}, "'description' must be a string"),
        (nested(5), "nested more than 5 deep"),
        ("string", "a schema is expected, got 'string'"),
    ],
)
async def test_schemas_that_some_host_refuses(http: AsyncClient, url: str, argument: JsonObject, message: str) -> None:
    error = await refusal(http, url, request(tools=[tool("look", x=argument)]))
    assert message in error["message"]
    assert error["param"].startswith("tools[0].function.parameters.properties.x")


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ([{"type": "retrieval"}], "Invalid 'tools[0]': expected an object of type 'function'"),
        ([tool("21st_century")], "must start with a letter"),
        ([tool("a.b")], "must start with a letter"),
        ([tool("a" * 65)], "must start with a letter"),
        ([tool("")], "must start with a letter"),
        ([HEALTH, HEALTH], "'get_health' is offered twice"),
        ([tool(f"t{i}") for i in range(129)], "129 tools, at most 128"),
        ([{"type": "function", "function": HEALTH["function"] | {"strict": True}}], "unsupported key 'strict'"),
        ([{"type": "function", "function": {"name": "look"}}], "the root must be of type 'object'"),
        (
            [{"type": "function", "function": {"name": "look", "parameters": {"type": "string"}}}],
            "the root must be of type 'object'",
        ),
    ],
)
async def test_tools_that_some_host_refuses(http: AsyncClient, url: str, tools: list[JsonObject], message: str) -> None:
    error = await refusal(http, url, request(tools=tools))
    assert message in error["message"]
    assert error["param"].startswith("tools")
