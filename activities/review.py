"""The activity ``review``: check a conclusion against what the run has read and done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence

from temporalio import activity

from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import JsonObject, Review, ReviewRequest, ToolSpec
from watchkeeper.incident import claims, conclusion, correction
from watchkeeper.incident.report import ANSWER_BYTES
from watchkeeper.text import cap
from watchkeeper.thought import without_thought


class ReviewActivities:
    """Reviews conclusions with the rules of this worker. What it finds is recorded, so the rules may change."""

    def __init__(
        self, catalogue: Sequence[ToolSpec], services: Sequence[str], conversations: ConversationCache
    ) -> None:
        self._specs = {spec.name: spec for spec in catalogue}
        self._services = list(services)
        self._conversations = conversations

    @activity.defn
    async def review(self, request: ReviewRequest) -> Review:
        """Return whether the last reply of a conversation is a conclusion, and which of its claims nothing supports.

        Fails with ``ConversationLost``.
        """
        joined = await self._conversations.messages(request)
        # In a thread: a long report is checked against megabytes of results, and heartbeats must be sent meanwhile.
        return await asyncio.to_thread(self._review, request, json.loads(b"[" + joined + b"]"))

    def _review(self, request: ReviewRequest, messages: Sequence[JsonObject]) -> Review:
        answer = cap(without_thought(str(messages[-1].get("content") or "")), ANSWER_BYTES)[0]
        records = self._records(request, messages)
        reads = [call for call in request.calls if call.status == "ok" and self._is_read(call.name)]
        read = {call.key: records.results[call.key] for call in reads if call.key in records.results}
        facts = conclusion.ConclusionFacts(request.by_alert, request.corrected, bool(reads), read)
        problems = conclusion.find_problems(answer, facts)
        unsupported = claims.unsupported_claims(answer, records)
        problems += conclusion.find_contradictions(answer, facts, unsupported)
        about = [call for call in reads if request.service is None or request.service in call.arguments]
        shown = [_json(read[call.key]) for call in about if call.key in read]
        found = {
            "verdict": conclusion.verdict_of(answer) if request.by_alert else None,
            "problems": problems,
            "unsupported": unsupported,
            "shown_healthy": conclusion.is_shown_healthy(shown),
        }
        return Review.model_validate({name: value for name, value in found.items() if value})

    def _records(self, request: ReviewRequest, messages: Sequence[JsonObject]) -> claims.Records:
        succeeded = {call.key for call in request.calls if call.status == "ok"}
        return claims.Records(
            # A summary may have replaced older results. It is one of the messages.
            results={key: text for key, text in _results(messages) if key in succeeded},
            calls=request.calls,
            words=[
                correction.without_corrections(message["content"]) for message in messages if message["role"] == "user"
            ],
            tools={name: spec.effect for name, spec in self._specs.items()},
            pages={name for name, spec in self._specs.items() if spec.pages},
            services=self._services,
        )

    def _is_read(self, name: str) -> bool:
        return name in self._specs and self._specs[name].effect == "read"


def _results(messages: Sequence[JsonObject]) -> list[tuple[str, str]]:
    """Return the results in a conversation with the keys of their calls, oldest first."""
    texts = (message["content"] for message in messages if message["role"] == "tool")
    return [(str(key), text) for text in texts if (key := _json(text).get("call")) is not None]


def _json(text: str) -> Mapping[str, object]:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}
