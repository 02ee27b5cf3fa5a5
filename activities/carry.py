"""The activity ``carry``: prepare the conversation with which the next execution of the run begins."""

from __future__ import annotations

import json

from temporalio import activity

from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import CarriedConversation, CarryRequest
from watchkeeper.llm.compaction import compact, split_head
from watchkeeper.llm.conversation import conversation_digest, join_messages, target_digest
from watchkeeper.temporal.activity_options import HISTORY_BOUNDS


class CarryActivities:
    """Prepares conversations for continue-as-new."""

    def __init__(self, conversations: ConversationCache) -> None:
        self._conversations = conversations

    @activity.defn
    async def carry(self, request: CarryRequest) -> CarriedConversation:
        """Return what the history of this execution does not hold: the opening and the summary, which is not recorded.

        For a workflow of an earlier version: the whole conversation, compacted if it is too large. Fails with
        ``ConversationLost``.
        """
        joined = await self._conversations.messages(request)
        messages = json.loads(b"[" + joined + b"]")
        if request.by_reference:
            head, kept = split_head(messages)
            return CarriedConversation(messages=head, digest=target_digest(request), kept=len(kept))
        room = HISTORY_BOUNDS.carried_bytes if request.room is None else request.room
        if len(joined) <= room:
            return CarriedConversation(messages=messages, digest=target_digest(request))
        kept, replaced = compact(messages, room)
        digest = conversation_digest(kept)
        self._conversations.store.put(digest, join_messages(kept))
        return CarriedConversation(messages=kept, digest=digest, compacted=replaced)
