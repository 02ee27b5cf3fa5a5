"""The activity ``compact``: make a conversation smaller when it approaches the model's context window."""

from __future__ import annotations

import json

from temporalio import activity

from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import CompactionResult, CompactRequest
from watchkeeper.llm.compaction import compact
from watchkeeper.llm.conversation import conversation_digest, join_messages, target_digest


class CompactActivities:
    """Replaces older rounds by summaries."""

    def __init__(self, conversations: ConversationCache) -> None:
        self._conversations = conversations

    @activity.defn
    async def compact(self, request: CompactRequest) -> CompactionResult:
        """Replace the older rounds of a conversation if that makes it smaller. Fails with ``ConversationLost``.

        No message is recorded: the history has the messages that the summary replaces, so code can write it again.
        """
        joined = await self._conversations.messages(request)
        kept, replaced = compact(json.loads(b"[" + joined + b"]"), int(len(joined) * request.keep))
        smaller = join_messages(kept)
        if not replaced or len(smaller) >= len(joined):
            return CompactionResult(digest=target_digest(request))
        digest = conversation_digest(kept)
        self._conversations.store.put(digest, smaller)
        return CompactionResult(digest=digest, replaced=replaced)
