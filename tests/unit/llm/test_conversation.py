from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.contracts import ConversationEntry, JsonObject, ReplyRef, ResultRef, TextEntry, digest_of
from watchkeeper.llm.conversation import (
    Conversation,
    ConversationLost,
    ConversationStore,
    append_entries,
    canonical_json,
    conversation_digest,
    join_messages,
)

OPENING: list[JsonObject] = [{"role": "system", "content": "look"}, {"role": "user", "content": "why?"}]

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@st.composite
def rounds(draw: st.DrawFn) -> list[list[JsonObject]]:
    """Messages of some rounds: a reply, its results, and sometimes a message of a person."""
    made = []
    for number in range(draw(st.integers(0, 5))):
        ids = [f"call:{number}:{n}" for n in range(draw(st.integers(0, 3)))]
        function = {"name": "look", "arguments": "{}"}
        calls = [{"id": call_id, "type": "function", "function": function} for call_id in ids]
        reply: JsonObject = {"role": "assistant", "content": draw(words)}
        if calls:
            reply["tool_calls"] = calls
        results = [{"role": "tool", "tool_call_id": call_id, "content": draw(words)} for call_id in ids]
        user_messages = [{"role": "user", "content": text} for text in draw(st.lists(words, max_size=2))]
        made.append([reply, *results, *user_messages])
    return made


def entries_of(messages: list[JsonObject], parts: dict[str, bytes]) -> list[ConversationEntry]:
    """Return the entries for some messages, and the parts that the entries name."""
    entries: list[ConversationEntry] = []
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            encoded = canonical_json(message)
            parts[digest_of(encoded)] = encoded
            entries.append(ReplyRef(reply=digest_of(encoded)))
        elif message["role"] == "tool" and number % 2:
            content = message["content"].encode()
            parts[digest_of(content)] = content
            entries.append(ResultRef(result=digest_of(content)))
        else:
            entries.append(TextEntry(role=message["role"], content=message["content"]))
    return entries


@given(rounds())
def test_a_conversation_joined_by_digest_equals_the_original(turns: list[list[JsonObject]]) -> None:
    parts: dict[str, bytes] = {}
    talk = Conversation.of(OPENING)
    joined, messages = join_messages(OPENING), list(OPENING)
    for turn in turns:
        for entry in entries_of(turn, parts):
            talk.append(entry)
        _, new = talk.take()
        before = joined
        joined = append_entries(joined, new, parts.__getitem__)
        messages += turn
        assert joined.startswith(before)
    assert json.loads(b"[" + joined + b"]") == messages
    assert talk.digest == conversation_digest(messages)


def test_conversations_that_differ_have_different_digests() -> None:
    user, tool = {"role": "user", "content": "a"}, {"role": "tool", "tool_call_id": "x", "content": "a"}
    assert len({conversation_digest(m) for m in ([], [user], [user, user], [tool], [user, tool], [tool, user])}) == 6


def test_a_second_take_has_no_new_entries() -> None:
    talk = Conversation.of(OPENING)
    talk.append(TextEntry(role="user", content="more"))
    talk.take()
    assert talk.take() == (talk.digest, [])


def test_a_missing_part_is_named() -> None:
    def lost(digest: str) -> bytes:
        raise ConversationLost(digest)

    with pytest.raises(ConversationLost):
        append_entries(b"", [ReplyRef(reply=digest_of(b"lost"))], lost)


def test_the_store_removes_the_least_recently_used() -> None:
    store = ConversationStore(10)
    store.put("a", b"1234")
    store.put("b", b"1234")
    assert store.get("a") == b"1234"
    store.put("c", b"1234")
    assert (store.get("a"), store.get("b"), store.get("c")) == (b"1234", None, b"1234")
    assert store.size == 8


def test_the_store_counts_what_it_replaces_and_drops() -> None:
    store = ConversationStore(10)
    store.put("a", b"1234")
    store.put("a", b"12")
    assert store.size == 2
    store.drop("a")
    store.drop("a")
    assert store.size == 0


def test_the_store_keeps_oversized_content_until_the_next() -> None:
    store = ConversationStore(4)
    store.put("large", b"12345678")
    assert store.get("large") == b"12345678"
    store.put("small", b"1")
    assert (store.get("large"), store.get("small")) == (None, b"1")
