"""How long the model activity takes from its recorded argument to the request, at a given round."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.testing import ActivityEnvironment

from activities.ask import AskActivities
from activities.conversation_cache import ConversationCache
from bench.naive_loop import Messages, NaiveActivities, first_messages
from bench.task import CALLS, page_text, script
from bench.watchkeeper_loop import read_page, settings_for
from watchkeeper.contracts import ConversationEntry, ModelRequest, ReplyRef, ResultRef, digest_of
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import (
    ConversationStore,
    canonical_json,
    conversation_digest,
    join_messages,
    message_key,
)
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.asgi_server import serve
from watchkeeper.tool_calling.catalogue import build_catalogue, catalogue_digest, encode_tools

T = TypeVar("T")

STORE_BYTES = 2**30
_ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "scripted",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Read."}, "finish_reason": "stop"}],
}


class _Host:
    """Answers immediately and records when a request arrived."""

    def __init__(self) -> None:
        self.reached = 0.0
        self.app = Starlette(routes=[Route("/v1/chat/completions", self._complete, methods=["POST"])])

    async def _complete(self, request: Request) -> Response:
        self.reached = time.perf_counter()
        await request.body()
        return Response(json.dumps(_ANSWER), media_type="application/json")


@dataclass(frozen=True)
class RequestBuild(Generic[T]):
    """One way to build the model request of one round."""

    argument: Sequence[Payload]
    kind: type[T]
    converter: DataConverter
    activity: Callable[[T], Awaitable[Any]]
    prepare: Callable[[], None]
    """Sets the worker's memory to the state of this round."""
    host: _Host

    async def seconds(self) -> float:
        """Send one request and return the seconds until it arrived."""
        self.prepare()
        started_at = time.perf_counter()
        (value,) = await self.converter.decode(self.argument, [self.kind])
        await ActivityEnvironment().run(self.activity, value)
        return self.host.reached - started_at


def conversation(rounds: int, kib: int) -> Messages:
    """Return the conversation after a number of rounds."""
    messages = first_messages("bench", rounds + 1, kib)
    for done in range(rounds):
        tool_calls: list[Any] = script({"messages": messages}).message["tool_calls"]
        numbered = [{"id": f"functions.read_page:{done * CALLS + n}", **call} for n, call in enumerate(tool_calls)]
        messages.append({"role": "assistant", "content": None, "tool_calls": numbered})
        for n, call in enumerate(numbered):
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": page_text(f"{done}-{n}", kib)})
    return messages


@asynccontextmanager
async def builds(client: Client, rounds: int, kib: int) -> AsyncIterator[dict[str, RequestBuild[Any]]]:
    """Prepare both ways of building the request after a number of rounds."""
    host, messages = _Host(), conversation(rounds, kib)
    async with serve(host.app) as url:
        base_url = f"{url}/v1"
        naive = NaiveActivities(base_url)
        argument = await DataConverter.default.encode([messages])
        endpoint = ModelClient(settings_for("bench", base_url).model)
        try:
            async with naive.openai:
                yield {
                    "naive": RequestBuild(argument, Messages, DataConverter.default, naive.ask, lambda: None, host),
                    "ours": await _ours(client, endpoint, messages, host),
                }
        finally:
            await endpoint.close()


async def _ours(client: Client, endpoint: ModelClient, messages: Messages, host: _Host) -> RequestBuild[Any]:
    settings, store = settings_for("bench", endpoint.profile.base_url), ConversationStore(STORE_BYTES)
    old, new = messages[: -CALLS - 1], messages[-CALLS - 1 :]
    specs = build_catalogue({"read_page": read_page}, settings)
    append: list[ConversationEntry] = [ReplyRef(reply=message_key(new[0]))]
    append += [ResultRef(result=message_key(message)) for message in new[1:]]
    base, joined = conversation_digest(old), join_messages(old)
    request = ModelRequest(
        round=len(messages) // (CALLS + 1) + 1, base=base, append=append, catalogue=catalogue_digest(specs)
    )

    def prepare() -> None:
        store.drop(conversation_digest(messages))
        store.put(base, joined)

    store.put(request.catalogue, encode_tools(specs))
    store.put(digest_of(canonical_json(new[0])), canonical_json(new[0]))
    for message in new[1:]:
        store.put(digest_of(message["content"].encode()), message["content"].encode())
    activities = AskActivities([endpoint], ConversationCache(client, store))
    return RequestBuild(
        await DATA_CONVERTER.encode([request]), ModelRequest, DATA_CONVERTER, activities.ask, prepare, host
    )
