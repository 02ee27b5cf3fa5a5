"""The activity ``carry``: read the conversation that continue-as-new passes to the next execution of the run."""

from __future__ import annotations

import json

from temporalio import activity

from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import CarriedConversation, CarryRequest
from watchkeeper.llm.compaction import compact
from watchkeeper.llm.conversation import conversation_digest, join_messages, target_digest
from watchkeeper.temporal.activity_options import HISTORY_BOUNDS


class CarryActivities:
    """Returns whole conversations for continue-as-new."""

    def __init__(self, conversations: ConversationCache) -> None:
        self._conversations = conversations

    @activity.defn
    async def carry(self, request: CarryRequest) -> CarriedConversation:
        """Return the conversation for the next run, compacted if it is too large. Fails with ``ConversationLost``."""
        joined = await self._conversations.messages(request)
        messages = json.loads(b"[" + joined + b"]")
        if len(joined) <= HISTORY_BOUNDS.carried_bytes:
            return CarriedConversation(messages=messages, digest=target_digest(request))
        kept, replaced = compact(messages, HISTORY_BOUNDS.carried_bytes)
        digest = conversation_digest(kept)
        self._conversations.store.put(digest, join_messages(kept))
        return CarriedConversation(messages=kept, digest=digest, compacted=replaced)
