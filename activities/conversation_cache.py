"""Find the conversation that a request names: in this worker's store, otherwise in the run's history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import (
    ConversationLost,
    ConversationRequest,
    ConversationStore,
    append_entries,
    target_digest,
)
from watchkeeper.temporal import history
from watchkeeper.tool_calling.catalogue import encode_tools

CATALOGUES = 8
"""How many catalogues are kept parsed. A worker has one, and runs of earlier workers have theirs."""


class ConversationCache:
    """Conversations and tool catalogues by digest. Counts how often the store had them."""

    def __init__(self, client: Client, store: ConversationStore) -> None:
        self._client = client
        self.store = store
        self.hits = 0
        self.misses = 0

    async def messages(self, request: ConversationRequest) -> bytes:
        """Return the messages that a request names, ready to send.

        The base is removed from the store when it is extended: only a retry of the same request could need it again,
        and a retry finds the extended conversation.

        Fails with ``ConversationLost``, without retry, if neither the store nor the history has it. Raises RPCError.
        """
        digest = target_digest(request)
        if (cached := self.store.get(digest)) is not None:
            self.hits += 1
            return cached
        try:
            joined = self._extended(request)
            self.hits += 1
        except ConversationLost:
            self.misses += 1
            info = activity.info()
            activity.logger.info("rebuilding the conversation from the history")
            recorded = await history.read_conversation(self._client, info.workflow_id or "", info.workflow_run_id or "")
            if recorded.lost:
                activity.logger.warning("the model reads only a summary of the earlier rounds: %s", recorded.lost)
            try:
                joined = recorded.messages(request)
            except ConversationLost as error:
                raise ApplicationError(str(error), type="ConversationLost", non_retryable=True) from error
        self.store.drop(request.base)
        self.store.put(digest, joined)
        return joined

    async def tools(self, catalogue: str) -> tuple[bytes, Mapping[str, JsonObject]]:
        """Return the encoded tools of a catalogue, and by name the JSON schema of each tool's arguments.

        A catalogue that is not in the store is read from the run's history. Raises RPCError.
        """
        if (cached := self.store.get(catalogue)) is None:
            info = activity.info()
            recorded = await history.read_execution(self._client, info.workflow_id or "", info.workflow_run_id or "")
            cached = encode_tools(recorded.tools)
            self.store.put(catalogue, cached)
        return cached, _parameters(cached)

    def _extended(self, request: ConversationRequest) -> bytes:
        if (base := self.store.get(request.base)) is None:
            raise ConversationLost(f"no conversation {request.base} in the store")
        return append_entries(base, request.append, self._part)

    def _part(self, digest: str) -> bytes:
        if (part := self.store.get(digest)) is None:
            raise ConversationLost(f"no reply or result {digest} in the store")
        return part


@lru_cache(CATALOGUES)
def _parameters(tools: bytes) -> Mapping[str, JsonObject]:
    """Return by name the JSON schema of the arguments of encoded tools."""
    functions = [tool["function"] for tool in json.loads(tools)]
    return {function["name"]: function["parameters"] for function in functions}
