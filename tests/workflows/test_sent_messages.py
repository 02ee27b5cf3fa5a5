"""Requests to the model: exactly one answer follows each tool call, after any earlier events.

These tests need no server. They run the conversation of the workflow, the store of the worker and the history through
random rounds, compactions and continue-as-new. ``test_random_runs.py`` does the same with complete runs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.host_answers import TOOLS, mutated
from tests.support.reply_safety import assert_outgoing
from watchkeeper.contracts import (
    CarryRequest,
    CompactionResult,
    CompactRequest,
    ConversationEntry,
    JsonObject,
    ModelRequest,
    ReplyRef,
    ResultRef,
    TextEntry,
    digest_of,
)
from watchkeeper.llm.compaction import OPENING_MESSAGES, compact, split_head
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.conversation import (
    Conversation,
    ConversationRequest,
    ConversationStore,
    append_entries,
    canonical_json,
    conversation_digest,
    join_messages,
    target_digest,
)
from watchkeeper.llm.errors import ModelError
from watchkeeper.temporal.history import ConversationHistory
from watchkeeper.text import clean

BEGINNING: list[JsonObject] = [
    {"role": "system", "content": "Look before you act."},
    {"role": "user", "content": "Checkout fails."},
]
CATALOGUE = "x" * 22

texts = st.text(st.characters(codec=None), max_size=30)
message_texts = texts.map(clean).filter(str.strip)
ids = st.sampled_from(["functions.look:0", "functions.look:1", "a", "", None, 7, "x" * 300]) | texts
names = st.sampled_from(["search_logs", "page_engineer", "find_bugs", "", None]) | texts
arguments = st.sampled_from(["{}", '{"a":1}', "", "{", '{"a": NaN}', "[]"]) | texts


@st.composite
def completions(draw: st.DrawFn) -> bytes:
    """A completion with calls, sometimes hundreds, or a damaged real one."""
    if draw(st.integers(0, 4)) == 0:
        return mutated(Random(draw(st.integers(0, 2**32))))
    calls = [
        {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}
        for call_id, name, text in draw(
            st.lists(st.tuples(ids, names, arguments), min_size=draw(st.sampled_from([0, 1, 1])), max_size=5)
        )
    ] * draw(st.sampled_from([1, 1, 1, 2, 100]))
    message = {"role": "assistant", "content": draw(texts | st.none()), "tool_calls": calls}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()


@dataclass
class Message:
    """A message from a person."""

    text: str


@dataclass
class Compact:
    """A compaction that keeps this share."""

    keep: float
    summary_is_recorded: bool


class ContinueAsNew:
    """Continue-as-new."""


class NewWorker:
    """Another worker with an empty store takes over."""


def beginning(messages: list[JsonObject], digest: str) -> ConversationHistory:
    """Return the history of an execution that begins with these messages."""
    return ConversationHistory(opening=messages, opening_digest=digest)


@dataclass
class Run:
    """One conversation in the workflow, in the worker and in the history."""

    talk: Conversation = field(default_factory=lambda: Conversation.of(BEGINNING))
    store: ConversationStore = field(default_factory=lambda: ConversationStore(2**20))
    recorded: ConversationHistory = field(default_factory=lambda: beginning(BEGINNING, conversation_digest(BEGINNING)))
    number: int = 0

    def ask(self, answer: bytes, results: Random) -> None:
        """Send the new entries to the model, and add its reply and a result for each call."""
        self.number += 1
        base, new = self.talk.take()
        request = ModelRequest(round=self.number, base=base, append=new, catalogue=CATALOGUE)
        messages = self.read(request)
        assert_outgoing(messages)
        self.recorded.add_step(request, target_digest(request))
        try:
            reply = read_completion(answer, tools=TOOLS, tools_allowed=True, prompt_bytes=1)
        except ModelError:
            self.talk.append(TextEntry(role="user", content="Go on."))
            return
        if reply.kind == "empty":
            self.talk.append(TextEntry(role="user", content="You said nothing."))
            return
        self.keep(reply.digest, canonical_json(reply.message))
        self.talk.append(ReplyRef(reply=reply.digest))
        for position, _ in enumerate(reply.calls):
            self.talk.append(self.result(results, reply.problems.get(position), f"r{self.number}.{position}"))
        if not reply.calls:
            self.talk.append(TextEntry(role="user", content="And?"))

    def result(self, random: Random, problem: str | None, call: str) -> ConversationEntry:
        content = canonical_json(
            {"error": problem} if problem else {"found": "x" * random.choice([1, 900, 4_000])}
        ).decode()
        if problem or random.random() < 0.3:
            return TextEntry(role="tool", content=content)
        self.keep(digest_of(content.encode()), content.encode())
        result = ResultRef(result=digest_of(content.encode()))
        return result.model_copy(update={"call": call}) if random.random() < 0.7 else result

    def keep(self, digest: str, content: bytes) -> None:
        self.store.put(digest, content)
        self.recorded.parts[digest] = content

    def read(self, request: ConversationRequest) -> list[JsonObject]:
        """Return the messages from the store, which must be equal to those from the history."""
        rebuilt = self.recorded.messages(request)
        base = self.store.get(request.base)
        if base is not None:
            assert append_entries(base, request.append, lambda digest: self.recorded.parts[digest]) == rebuilt
        self.store.put(target_digest(request), rebuilt)
        messages: list[JsonObject] = json.loads(b"[" + rebuilt + b"]")
        return messages

    def shrink(self, keep: float, *, summary_is_recorded: bool = False) -> None:
        base, new = self.talk.take()
        request = CompactRequest(base=base, append=new, keep=keep)
        messages = self.read(request)
        compacted, replaced = compact(messages, int(len(join_messages(messages)) * keep))
        if not replaced or len(join_messages(compacted)) >= len(join_messages(messages)):
            self.recorded.add_step(request, target_digest(request))
            self.talk.replace(target_digest(request))
            return
        result = CompactionResult(digest=conversation_digest(compacted), replaced=replaced)
        if summary_is_recorded:  # as earlier versions did
            result = result.model_copy(update={"summary": compacted[OPENING_MESSAGES]["content"]})
        self.recorded.add_step(request, result.digest, result)
        self.store.put(result.digest, join_messages(compacted))
        self.talk.replace(result.digest)

    def renew(self) -> None:
        base, new = self.talk.take()
        request = CarryRequest(base=base, append=new)
        messages = self.read(request)
        head, rounds = split_head(messages)
        latest = self.recorded.latest(request, len(rounds))
        before = split_head(self.recorded.opening)[1]
        assert [*head, *before[len(before) - len(rounds) + len(latest) :], *latest] == messages
        self.recorded = beginning(messages, self.talk.digest)
        self.talk = Conversation(self.talk.digest)


steps: st.SearchStrategy[Any] = st.one_of(
    completions(),
    completions(),
    completions(),
    st.builds(Message, message_texts),
    st.builds(Compact, st.sampled_from([0.1, 0.5, 0.9]), st.booleans()),
    st.builds(ContinueAsNew),
    st.builds(NewWorker),
)


@given(st.lists(steps, min_size=3, max_size=15), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_each_call_is_followed_by_exactly_one_answer(drawn: list[Any], random: Random) -> None:
    run = Run()
    for step in [*drawn, b"{}"]:
        match step:
            case bytes():
                run.ask(step, random)
            case Message():
                run.talk.append(TextEntry(role="user", content=step.text))
            case Compact():
                run.shrink(step.keep, summary_is_recorded=step.summary_is_recorded)
            case ContinueAsNew():
                run.renew()
            case NewWorker():
                run.store = ConversationStore(2**20)


def test_identical_summaries_do_not_form_a_loop() -> None:
    answer = json.dumps({"choices": [{"message": {"content": "Nothing yet. " * 50}}]}).encode()
    run, digests = Run(), set[str]()
    for _ in range(3):
        run.talk.append(TextEntry(role="user", content="And now?"))
        run.ask(answer, Random(1))
        run.shrink(0.01)
        digests.add(run.talk.digest)
    run.ask(answer, Random(1))
    assert len(digests) == 1
