"""The activity ``ask`` with real hosts, and conversations of some rounds for it to send."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.ask import AskActivities
from activities.conversation_cache import ConversationCache
from tests.support.harness import look
from tests.support.settings import KEY, build_settings
from watchkeeper.contracts import (
    ConversationEntry,
    FallbackWindows,
    JsonObject,
    ModelReply,
    ModelRequest,
    ReplyRef,
    ResultRef,
    TextEntry,
    ToolChoice,
)
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import (
    ConversationStore,
    canonical_json,
    conversation_digest,
    join_messages,
    message_key,
)
from watchkeeper.temporal import activity_options
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.tool_calling.catalogue import catalogue_digest, encode_tools

OPENING: list[JsonObject] = [
    {"role": "system", "content": "You are on call."},
    {"role": "user", "content": "Checkout fails."},
]


def call(call_id: str, **fields: Any) -> JsonObject:
    """Return a call of ``look``."""
    return {"id": call_id, "type": "function", "function": {"name": "look", "arguments": '{"service":"checkout"}'}} | (
        fields
    )


def reply(*calls: JsonObject, content: str | None = None, **fields: Any) -> JsonObject:
    """Return an assistant message as it is recorded."""
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **fields}


def results(message: JsonObject, content: str = '{"error_rate":0.18}') -> list[JsonObject]:
    """Return a result for each call of a message."""
    return [{"role": "tool", "tool_call_id": call["id"], "content": content} for call in message["tool_calls"]]


def round_of(*calls: JsonObject, **fields: Any) -> list[JsonObject]:
    """Return a round: a message with calls, and their results."""
    message = reply(*calls, **fields)
    return [message, *results(message)]


def user(text: str) -> JsonObject:
    """Return a message of the user."""
    return {"role": "user", "content": text}


@dataclass
class Asking:
    """The activity, whose worker process lives as long as this object."""

    activities: AskActivities
    store: ConversationStore
    catalogue: str
    _base: list[JsonObject] = field(default_factory=list)

    async def ask(
        self,
        messages: Sequence[JsonObject],
        *,
        last: bool = False,
        choice: ToolChoice | None = None,
        attempt: int = 1,
        windows: FallbackWindows | None = None,
    ) -> ModelReply:
        """Send a conversation. The next one should extend it."""
        known = len(self._base) if list(messages[: len(self._base)]) == self._base else 0
        base = list(messages[:known]) or list(messages)
        self.store.put(conversation_digest(base), join_messages(base))
        request = ModelRequest(
            round=1,
            base=conversation_digest(base),
            append=[self._entry(message) for message in messages[len(base) :]],
            catalogue=self.catalogue,
        )
        if windows is not None:
            request = request.model_copy(update={"fallback_windows": windows})
        if last:
            request = request.model_copy(update={"toolless": True})
        if choice is not None:
            request = request.model_copy(update={"tool_choice": choice})
        self._base = list(messages)
        environment = ActivityEnvironment()
        environment.info = replace(
            environment.info, attempt=attempt, schedule_to_close_timeout=activity_options.MODEL_RETRY_LIMIT
        )
        answer: ModelReply = await environment.run(self.activities.ask, request)
        return answer

    def _entry(self, message: JsonObject) -> ConversationEntry:
        """Put the content of a message into the store, where activities put it, and return its entry."""
        match message["role"]:
            case "assistant":
                self.store.put(message_key(message), canonical_json(message))
                return ReplyRef(reply=message_key(message))
            case "tool":
                self.store.put(message_key(message), message["content"].encode())
                return ResultRef(result=message_key(message))
            case _:
                return TextEntry(role="user", content=message["content"])


@asynccontextmanager
async def asking(
    client: Client, model: ScriptedModel, *fallbacks: ScriptedModel, **profile: Any
) -> AsyncIterator[Asking]:
    """Serve the hosts and yield the activity that asks them; ``profile`` are settings of the first model."""
    async with AsyncExitStack() as stack:
        url, *others = [await stack.enter_async_context(host.serve()) for host in (model, *fallbacks)]
        tables = [{"base_url": other, "name": f"other-{n}", "api_key": KEY} for n, other in enumerate(others, 1)]
        settings = build_settings(url, model={"base_url": url, **profile}, fallbacks=tables)
        endpoints = [ModelClient(one) for one in settings.profiles]
        for endpoint in endpoints:
            stack.push_async_callback(endpoint.close)
        store, tools = ConversationStore(2**24), [look.spec(settings)]
        store.put(catalogue_digest(tools), encode_tools(tools))
        yield Asking(AskActivities(endpoints, ConversationCache(client, store)), store, catalogue_digest(tools))
