"""Requests to the scripted model, well-formed by default."""

from __future__ import annotations

from typing import Any

from httpx2 import AsyncClient, Response

from watchkeeper.contracts import JsonObject

SYSTEM: JsonObject = {"role": "system", "content": "You are on call."}
USER: JsonObject = {"role": "user", "content": "What is wrong with checkout?"}


def tool(name: str, **properties: JsonObject) -> JsonObject:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": parameters}}


HEALTH = tool("get_health", service={"type": "string", "enum": ["checkout", "payments"]})


def call(call_id: str = "functions.get_health:0", arguments: Any = '{"service":"checkout"}', **more: Any) -> JsonObject:
    return {"id": call_id, "type": "function", "function": {"name": "get_health", "arguments": arguments}} | more


def assistant(*calls: JsonObject, **more: Any) -> JsonObject:
    return {"role": "assistant", "content": None, "tool_calls": list(calls)} | more


def result(call_id: str = "functions.get_health:0", content: Any = '{"status":"degraded"}') -> JsonObject:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def request(*messages: JsonObject, **more: Any) -> JsonObject:
    return {"model": "kimi", "messages": [SYSTEM, USER, *messages], "tools": [HEALTH]} | more


async def post_request(http: AsyncClient, url: str, body: JsonObject) -> Response:
    return await http.post(f"{url}/chat/completions", json=body)


async def reply_message(http: AsyncClient, url: str, body: JsonObject) -> JsonObject:
    """Return the assistant message of the completion."""
    answer = await post_request(http, url, body)
    assert answer.status_code == 200, answer.text
    message: JsonObject = answer.json()["choices"][0]["message"]
    return message


async def refusal(http: AsyncClient, url: str, body: JsonObject, status: int = 400) -> JsonObject:
    """Return the error of a refused request."""
    answer = await post_request(http, url, body)
    assert answer.status_code == status, answer.text
    error: JsonObject = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error
