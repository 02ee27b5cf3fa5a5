"""Compaction replaces whole rounds by a summary, and the result can still be sent."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.carry import CarryActivities
from activities.conversation_cache import ConversationCache
from watchkeeper.contracts import CallRecord, CarriedConversation, CarryRequest, JsonObject
from watchkeeper.llm.compaction import (
    FINDING_BYTES,
    MAX_COUNTED_TOOLS,
    OPENING_MESSAGES,
    SHORT_LINE_BYTES,
    SUMMARY_BYTES,
    compact,
    conversation_from_records,
    split_head,
)
from watchkeeper.llm.conversation import ConversationStore, conversation_digest, join_messages
from watchkeeper.temporal.activity_options import HISTORY_BOUNDS
from watchkeeper.testing.message_rules import check_messages

BEGINNING: list[JsonObject] = [
    {"role": "system", "content": "You are on call."},
    {"role": "user", "content": "Checkout fails."},
]


def round_of(*calls: tuple[str, str], text: str | None = None, number: int = 0, **extras: str) -> list[JsonObject]:
    """A reply with calls of ``look`` and their results; each call is a pair of service and result."""
    calls_made = [
        {
            "id": f"look:{number}:{position}",
            "type": "function",
            "function": {"name": "look", "arguments": json.dumps({"service": service})},
        }
        for position, (service, _) in enumerate(calls)
    ]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call, (_, result) in zip(calls_made, calls, strict=True)
    ]
    return [{"role": "assistant", "content": text, "tool_calls": calls_made, **extras}, *results]


def user_message(text: str) -> JsonObject:
    return {"role": "user", "content": text}


def size(messages: list[JsonObject]) -> int:
    return len(join_messages(messages))


def summary_of(kept: list[JsonObject]) -> list[str]:
    """Return the lines of the summary after the opening messages, without its heading."""
    assert kept[OPENING_MESSAGES]["role"] == "user"
    heading, *lines = kept[OPENING_MESSAGES]["content"].split("\n")
    assert "Earlier rounds" in heading
    return list(lines)


def test_a_conversation_that_fits_is_not_changed() -> None:
    messages = [*BEGINNING, *round_of(("checkout", "fine")), user_message("Look again.")]
    assert compact(messages, 10_000) == (messages, 0)


def test_the_oldest_rounds_become_lines_and_the_latest_are_kept() -> None:
    latest = round_of(("search", "slow"), number=2, reasoning_content="hm")
    messages = [
        *BEGINNING,
        *round_of(("checkout", "x" * 5_000), ("payments", '{"ok":true}'), text="I look at both."),
        user_message("It began at noon."),
        *round_of(("payments", "y\n\n  y"), number=1),
        *latest,
    ]
    kept, replaced = compact(messages, 4_000)
    assert kept[:OPENING_MESSAGES] == BEGINNING
    assert kept[OPENING_MESSAGES + 1 :] == [*messages[6:8], *latest]
    assert replaced == 4
    assert summary_of(kept) == [
        "- you: I look at both.",
        f'- look {{"service": "checkout"}} -> {"x" * FINDING_BYTES}… (+4700 bytes)',
        '- look {"service": "payments"} -> {"ok":true}',
        "- user: It began at noon.",
    ]


def test_each_finding_is_one_line() -> None:
    messages = [*BEGINNING, *round_of(("checkout", "a\n\tb " + "z" * 9_000)), *round_of(("search", "fine"), number=1)]
    lines = summary_of(compact(messages, 3_000)[0])
    assert len(lines) == 1
    assert lines[0].startswith('- look {"service": "checkout"} -> a b zzz')


def test_a_round_too_large_to_keep_is_summarized() -> None:
    messages = [*BEGINNING, *round_of(("checkout", "x" * 9_000))]
    kept, replaced = compact(messages, 4_000)
    assert (len(kept), replaced) == (OPENING_MESSAGES + 1, 2)
    check_messages(kept)


def test_the_oldest_lines_are_left_out_first() -> None:
    rounds = [round_of((f"service-{number}", "q" * 200), number=number) for number in range(200)]
    kept, _ = compact([*BEGINNING, *(message for turn in rounds for message in turn)], 8_000)
    first, *lines = summary_of(kept)
    services = [int(line.split("service-")[1].split('"')[0]) for line in lines]
    assert services == list(range(services[0], 200 - (len(kept) - OPENING_MESSAGES - 1) // 2))
    assert services[0] > 0
    assert first == f"- (earlier entries are left out: {services[0]} look)"


def test_older_lines_are_shortened_before_any_is_left_out() -> None:
    rounds = [round_of((f"service-{number}", "q" * 280), number=number) for number in range(300)]
    kept, replaced = compact([*BEGINNING, *(message for turn in rounds for message in turn)], 100_000)
    lines = [line for line in summary_of(kept) if line.startswith("- look")]
    sizes = [len(line.encode()) for line in lines]
    whole = sizes.count(max(sizes))
    assert 300 < max(sizes) < 340
    assert sizes == sorted(sizes)
    assert sizes[: len(sizes) - whole] == [SHORT_LINE_BYTES + len("…".encode())] * (len(sizes) - whole)
    assert SUMMARY_BYTES // 2 - 400 < sum(sizes[-whole:]) < SUMMARY_BYTES // 2 + 400
    assert summary_of(kept)[0] == f"- (earlier entries are left out: {replaced // 2 - len(lines)} look)"


def test_a_second_compaction_keeps_the_lines_of_the_first() -> None:
    first = [
        *BEGINNING,
        *round_of(("checkout", "down since noon")),
        user_message("Really?"),
        *round_of(("x", "y" * 9_000)),
    ]
    once, _ = compact(first, 6_000)
    again, replaced = compact([*once, *round_of(("payments", "fine")), *round_of(("search", "z" * 9_000))], 6_000)
    lines = summary_of(again)
    assert lines[: len(summary_of(once))] == summary_of(once)
    assert [line.split(" -> ")[0] for line in lines[len(summary_of(once)) :]] == [
        '- look {"service": "payments"}',
        '- look {"service": "search"}',
    ]
    assert replaced == len(once) - OPENING_MESSAGES + 4
    assert str(again).count("Earlier rounds") == 1


def test_the_omission_is_stated_once_after_several_compactions() -> None:
    messages = BEGINNING
    for number in range(300):
        messages = [*messages, *round_of((f"service-{number}", "q" * 250), number=number)]
        messages, _ = compact(messages, 6_000)
    lines = summary_of(messages)
    assert [line for line in lines if "left out" in line] == lines[:1]
    assert "service-0" not in str(messages)
    assert "service-299" in str(messages)
    shown = str(messages).count("- look")
    rounds = sum(message["role"] == "assistant" for message in messages)
    assert lines[0] == f"- (earlier entries are left out: {300 - shown - rounds} look)"


def test_calls_of_many_tools_are_counted_within_a_line() -> None:
    rounds = []
    for number in range(400):
        reply, result = round_of(("checkout", "q" * 400), number=number)
        reply["tool_calls"][0]["function"]["name"] = f"tool_{number % 20}"
        rounds += [reply, result]
    once, _ = compact([*BEGINNING, *rounds], 6_000)
    again, _ = compact([*once, *round_of(("payments", "z" * 9_000))], 6_000)
    for kept, left_out in ((once, 400), (again, 401)):
        first, *lines = summary_of(kept)
        counts = [int(text.split()[0]) for text in first.split(": ")[1].rstrip(")").split(", ")]
        assert (len(counts), first.split()[-1]) == (MAX_COUNTED_TOOLS + 1, "others)")
        rounds_kept = sum(message["role"] == "assistant" for message in kept)
        assert sum(counts) + len(lines) + rounds_kept == left_out


def test_what_is_known_without_the_messages_reads_like_a_summary() -> None:
    call = CallRecord(
        key="r1.0", name="look", arguments='{"service":"checkout"}', status="ok", finding='{"up":false}\n'
    )
    messages = conversation_from_records(BEGINNING, ["ada: Leave the database alone."], [call])
    check_messages(messages)
    assert messages[:OPENING_MESSAGES] == BEGINNING
    assert summary_of(messages) == [
        "- (earlier entries are left out)",
        "- user: ada: Leave the database alone.",
        '- look {"service":"checkout"} -> {"call":"r1.0","up":false}',
    ]
    assert split_head(messages) == (messages, [])


def test_a_conversation_is_split_after_its_summary() -> None:
    rounds = [*round_of(("x", "y" * 9_000)), *round_of(("payments", "fine"), number=1)]
    assert split_head([*BEGINNING, *rounds]) == (BEGINNING, rounds)
    kept, _ = compact([*BEGINNING, *rounds], 6_000)
    assert split_head(kept) == (kept[:3], rounds[2:])


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(lambda text: f"={text}")
_long = st.builds(lambda text, times: text * times, _text, st.integers(1, 80))
_round = st.builds(
    lambda calls, text, user_texts: (calls, text, user_texts),
    st.lists(st.tuples(_text, _long), min_size=1, max_size=4),
    st.none() | _long,
    st.lists(_text, max_size=2),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[JsonObject]:
    messages = list(BEGINNING)
    for number, (calls, text, user_texts) in enumerate(draw(st.lists(_round, max_size=8))):
        messages += round_of(*calls, text=text, number=number, reasoning_content=draw(_text))
        messages += [user_message(text) for text in user_texts]
    return messages


@given(conversations(), st.integers(4_000, 40_000), st.integers(4_000, 40_000))
def test_any_compacted_conversation_fits_and_can_be_sent(
    messages: list[JsonObject], max_bytes: int, next_bytes: int
) -> None:
    kept, replaced = compact(messages, max_bytes)
    check_messages(kept)  # every call with its result right behind it
    assert size(kept) <= max(max_bytes, size(messages) if not replaced else 0)
    assert kept[:OPENING_MESSAGES] == messages[:OPENING_MESSAGES]
    if not replaced:
        assert kept == messages
        return
    assert size(messages) > max_bytes // 2
    rest = kept[OPENING_MESSAGES + 1 :]
    assert rest == messages[OPENING_MESSAGES + replaced :]
    assert not rest or rest[0]["role"] == "assistant"
    again, _ = compact(kept, next_bytes)
    check_messages(again)
    assert size(again) <= max(next_bytes, size(kept) if again == kept else 0)


def test_a_summary_is_far_smaller_than_the_payload_limit() -> None:
    rounds = [round_of((f"service-{number}", "q" * 3_000), number=number) for number in range(5_000)]
    kept, replaced = compact([*BEGINNING, *(message for turn in rounds for message in turn)], 8_000_000)
    assert replaced > 2 * 1_000
    assert SUMMARY_BYTES - 1_000 < size(kept[OPENING_MESSAGES : OPENING_MESSAGES + 1]) <= SUMMARY_BYTES == 24 * 1024


@pytest.mark.parametrize("character", ['"', "\\", "\x01", "é", "🙂"])
def test_an_encoded_summary_is_within_its_limit(character: str) -> None:
    rounds = [round_of((character * 20, character * 400), number=number) for number in range(100)]
    kept, _ = compact([*BEGINNING, *(message for turn in rounds for message in turn)], 20_000)
    assert size(kept[OPENING_MESSAGES : OPENING_MESSAGES + 1]) <= 5_000
    assert size(kept) <= 20_000


@pytest.mark.parametrize(("kib", "fits"), [(90, True), (150, False)])
async def test_an_earlier_version_carries_at_most_the_carried_bytes(client: Client, kib: int, fits: bool) -> None:
    rounds = [round_of(("checkout", "x" * kib * 1024), number=number) for number in range(10)]
    messages = [*BEGINNING, *(message for turn in rounds for message in turn)]
    store = ConversationStore(2**25)
    store.put(conversation_digest(messages), join_messages(messages))
    carrying = CarryActivities(ConversationCache(client, store))
    carried = await ActivityEnvironment().run(
        carrying.carry, CarryRequest(base=conversation_digest(messages), append=[])
    )
    assert (carried.messages == messages, carried.compacted == 0) == (fits, fits)
    assert size(carried.messages) <= HISTORY_BOUNDS.carried_bytes
    assert carried.digest == conversation_digest(carried.messages)
    assert store.get(carried.digest) == join_messages(carried.messages)


async def test_only_what_the_history_does_not_hold_is_prepared_for_the_next_execution(client: Client) -> None:
    rounds = [message for number in range(10) for message in round_of(("checkout", "x" * 150_000), number=number)]
    compacted, _ = compact([*BEGINNING, *rounds], 700_000)
    for messages, head in (([*BEGINNING, *rounds], BEGINNING), (compacted, compacted[:3])):
        digest = conversation_digest(messages)
        store = ConversationStore(2**25)
        store.put(digest, join_messages(messages))
        prepared = await ActivityEnvironment().run(
            CarryActivities(ConversationCache(client, store)).carry,
            CarryRequest(base=digest, append=[], by_reference=True),
        )
        assert prepared == CarriedConversation(messages=head, digest=digest, kept=len(messages) - len(head))
