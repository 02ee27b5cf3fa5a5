"""A chat-completions host that answers from a script and is as strict as the strictest real host.

It refuses every request that a known host refuses (``message_rules``, ``parameter_rules``, ``schema_rules``); with
``host_rules`` also what single hosts refuse. It checks that its messages come back unchanged (``echo_check``) and
reports the tokens that a prompt cache would save (``prompt_cache``). It streams if the request says so.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.echo_check import SentMessages
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.host_rules import HostRule, no_null_content
from watchkeeper.testing.message_rules import check_messages
from watchkeeper.testing.parameter_rules import check_parameters, read_request
from watchkeeper.testing.prompt_cache import PromptCache, RawRequest
from watchkeeper.testing.request_refused import RequestRefused
from watchkeeper.testing.schema_rules import check_tools
from watchkeeper.testing.scripts import Script, ScriptedReply, ScriptEnded, in_order, text_of
from watchkeeper.testing.streamed_reply import streamed

MODEL = "moonshotai-kimi-k2-6"
BYTES_PER_TOKEN = 4


class ScriptedModel(FakeServer):
    """The host. As a ``FakeServer`` it records the chat completion requests and can be made to fail.

    Args:
        script: A function that chooses each reply, or the replies in order.
        key: The API key that a request must carry; None accepts any.
        pace: Seconds that an answer takes.
        thinking: Refuse forced tools and other sampling parameters than the model's own, as Moonshot does.
        context_window: Most tokens of a prompt.
        models: The model names it serves; empty serves any name.
        rules: What this host refuses in addition (``host_rules``).
        card: What its list of models says of each model, in addition to the name.
        reads: Most tokens of a prompt that it reads: it answers a longer one without an error, as Ollama does.
        counts_cut: Tokens that it counts in such a prompt; default: as many as it reads.
    """

    def __init__(
        self,
        script: Script | Sequence[ScriptedReply],
        *,
        key: str | None = None,
        pace: float = 0.0,
        thinking: bool = False,
        context_window: int | None = None,
        models: Sequence[str] = (),
        rules: Sequence[HostRule] = (),
        card: JsonObject | None = None,
        reads: int | None = None,
        counts_cut: int | None = None,
    ) -> None:
        super().__init__(Starlette(routes=[Route("/{path:path}", self._complete, methods=["POST"])]))
        self.script: Script = script if callable(script) else in_order(script)
        self._key = key
        self._pace = pace
        self._thinking = thinking
        self._window = context_window
        self._models = models
        self._rules = rules
        self._card = card or {}
        self._reads = reads
        self._counts_cut = counts_cut or reads
        self._sent = SentMessages()
        self._cache = PromptCache()

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Serve on loopback and yield the base URL for a client, which ends in ``/v1``. Port 0 takes a free port."""
        async with serve(self.host(), port) as url:
            yield f"{url}/v1"

    def host(self) -> Starlette:
        """Return the ASGI app, whose paths begin with ``/v1``."""
        return Starlette(routes=[Route("/v1/chat/completions", self), Route("/v1/models", self._list_models)])

    def prefix_violations(self) -> list[str]:
        """Describe each request that did not begin with the bytes of the request before it in its conversation."""
        return list(self._cache.violations)

    def messages(self, request: int = -1) -> list[JsonObject]:
        """Return the conversation that a request carried, the last request by default."""
        found: list[JsonObject] = self.requests[request].json()["messages"]
        return found

    def tool_results(self, request: int = -1) -> list[str]:
        """Return the tool results that a request carried, as text."""
        return [text_of(message) for message in self.messages(request) if message["role"] == "tool"]

    async def _list_models(self, request: Request) -> Response:
        try:
            self._authorise(request)
        except RequestRefused as refused:
            return JSONResponse(refused.body, refused.status)
        names = self._models or (MODEL,)
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "watchkeeper", **self._card} for name in names
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def _complete(self, request: Request) -> Response:
        body = await request.body()
        trace = blake2b(body, digest_size=12).hexdigest()
        try:
            self._authorise(request)
            completion = self._answer(body, trace)
        except RequestRefused as refused:
            return JSONResponse(refused.body, refused.status, {"x-trace-id": trace})
        request_body = json.loads(body)
        if request_body.get("stream"):
            usage = (request_body.get("stream_options") or {}).get("include_usage", False)
            events = self._paced(streamed(completion, include_usage=usage))
            return StreamingResponse(events, media_type="text/event-stream", headers={"x-trace-id": trace})
        if self._pace:
            await asyncio.sleep(self._pace)
        return Response(json.dumps(completion), media_type="application/json", headers={"x-trace-id": trace})

    async def _paced(self, events: Sequence[bytes]) -> AsyncIterator[bytes]:
        for event in events:
            if self._pace:
                await asyncio.sleep(self._pace / len(events))
            yield event

    def _authorise(self, request: Request) -> None:
        if self._key is not None and request.headers.get("authorization") != f"Bearer {self._key}":
            raise RequestRefused("Incorrect API key provided", status=401, code="invalid_api_key")

    def _answer(self, body: bytes, trace: str) -> JsonObject:
        request = read_request(body)
        for rule in self._rules:
            rule(request)
        if "tools" in request:
            check_tools(request["tools"])
        check_parameters(request, thinking=self._thinking)
        check_messages(request.get("messages"), empty_content=no_null_content in self._rules)
        self._sent.check(request["messages"])
        if self._models and request["model"] not in self._models:
            text = f"The model {request['model']!r} does not exist; this host serves: {', '.join(self._models)}"
            raise RequestRefused(text, "model", status=404, code="model_not_found")
        return self._completion(request, RawRequest.of(body), trace)

    def _completion(self, request: JsonObject, raw: RawRequest, trace: str) -> JsonObject:
        replies = [message for message in request["messages"] if message["role"] == "assistant"]
        cached = self._cache.add(raw, continues=bool(replies) and self._sent.knows(replies[-1]))
        prompt_tokens = _tokens(raw.tools + raw.joined)
        if self._window is not None and prompt_tokens > self._window:
            raise RequestRefused(
                f"Invalid request: Your request exceeded model token limit: {self._window} (requested: {prompt_tokens})"
            )
        try:
            reply = self.script(request)
        except ScriptEnded as error:
            raise RequestRefused(str(error), code="script_ended") from None
        if self._reads is not None and prompt_tokens > self._reads:
            prompt_tokens, cached = self._counts_cut or 0, 0
        message = _with_ids(reply.message, replies) if reply.assign_ids else reply.message
        self._sent.remember(message, exact_echo=reply.exact_echo)
        return {
            "id": f"chatcmpl-{trace}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
            "usage": reply.usage or _usage(prompt_tokens, cached // BYTES_PER_TOKEN, message),
        }


def _with_ids(message: JsonObject, replies: list[JsonObject]) -> JsonObject:
    """Add ids to the calls. They count through the whole conversation, as Kimi's do."""
    if "tool_calls" not in message:
        return message
    before = sum(len(reply.get("tool_calls") or ()) for reply in replies)
    calls = [
        {"id": f"functions.{call['function']['name']}:{before + i}", **call}
        for i, call in enumerate(message["tool_calls"])
    ]
    return {**message, "tool_calls": calls}


def _usage(prompt_tokens: int, cached_tokens: int, message: JsonObject) -> JsonObject:
    completion_tokens = _tokens(json.dumps(message))
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": _tokens(str(message.get("reasoning_content") or ""))},
    }


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // BYTES_PER_TOKEN)
