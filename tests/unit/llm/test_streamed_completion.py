"""Chunks of known hosts, put together to the completion that the host would have sent without streaming."""

from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.delta_merge import DeltaMerger, plain
from watchkeeper.llm.streamed_completion import StreamedCompletion


def assembled(*chunks: object) -> JsonObject:
    completion = StreamedCompletion()
    for chunk in chunks:
        completion.add(chunk)
    body: JsonObject = json.loads(completion.body())
    return body


def delta(finish: str | None = None, **fields: Any) -> JsonObject:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


CALL: JsonObject = {"index": 0, "id": "a", "function": {"name": "look", "arguments": ""}}


def message_of(*deltas: JsonObject) -> JsonObject:
    message: JsonObject = assembled(*(delta(**fields) for fields in deltas))["choices"][0]["message"]
    return message


# --- text ---------------------------------------------------------------------------------------------------------


def test_the_text_is_joined_and_the_labels_are_kept() -> None:
    head = {"id": "chat-1", "model": "kimi", "object": "chat.completion.chunk", "created": 1}
    body = assembled(
        head | delta(role="assistant", content=""),
        head | delta(content="Checkout "),
        head | delta(content="is down."),
        head | delta("stop"),
        head | {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5}},
    )
    assert (body["id"], body["model"], body["object"]) == ("chat-1", "kimi", "chat.completion")
    assert body["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "Checkout is down."}, "finish_reason": "stop"}
    ]
    assert body["usage"] == {"prompt_tokens": 10, "completion_tokens": 5}


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "refusal", "content", "thought_signature"])
def test_equal_parts_of_a_text_are_all_kept(field: str) -> None:
    assert message_of({field: "ha"}, {field: None}, {field: "ha"}, {field: ""})[field] == "haha"


def test_a_role_in_each_delta_is_one_role() -> None:
    assert message_of({"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}) == {
        "role": "assistant",
        "content": "ab",
    }


def test_null_is_not_an_empty_text() -> None:
    """Moonshot distinguishes reasoning that is empty from reasoning that is missing."""
    assert message_of({"reasoning_content": None, "content": "a"}) == {"content": "a"}
    assert message_of({"reasoning_content": "", "content": "a"}) == {"reasoning_content": "", "content": "a"}


def test_a_surrogate_pair_in_two_deltas_is_one_character() -> None:
    assert message_of({"content": "\ud83d"}, {"content": "\ude00"})["content"] == "\U0001f600"


@pytest.mark.parametrize(
    ("deltas", "content"),
    [
        (
            [[{"type": "text", "text": "Check"}], [{"type": "text", "text": "out"}]],
            [{"type": "text", "text": "Check"}, {"type": "text", "text": "out"}],
        ),
        (["Check", [{"type": "text", "text": "out"}]], ["Check", {"type": "text", "text": "out"}]),
        (
            [[{"type": "thinking", "thinking": "hm"}], "Check", "out"],
            [{"type": "thinking", "thinking": "hm"}, "Checkout"],
        ),
    ],
    ids=["parts", "text, then parts", "Mistral: thoughts, then text"],
)
def test_content_in_parts(deltas: list[object], content: object) -> None:
    assert message_of(*({"content": one} for one in deltas))["content"] == content


def test_reasoning_details_are_merged_by_index() -> None:
    def detail(index: int, **fields: str) -> JsonObject:
        return {"reasoning_details": [{"type": "reasoning.text", "index": index, "format": "x-v1", **fields}]}

    deltas = [
        detail(0, text="I "),
        detail(0, text="I "),
        detail(0, signature="c2ln"),
        detail(1, text="look"),
        {"reasoning_details": [{"type": "reasoning.encrypted", "index": 1, "data": "eA=="}]},
    ]
    assert message_of(*deltas)["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "format": "x-v1", "text": "I I ", "signature": "c2ln"},
        {"type": "reasoning.text", "index": 1, "format": "x-v1", "text": "look"},
        {"type": "reasoning.encrypted", "index": 1, "data": "eA=="},
    ]


def test_only_the_first_choice_is_kept() -> None:
    chunk = {"choices": [{"index": 1, "delta": {"content": "other"}}, {"index": 0, "delta": {"content": "x"}}]}
    assert assembled(delta(content="a"), chunk)["choices"][0]["message"] == {"content": "ax"}


@pytest.mark.parametrize("field", ["delta", "message"])
def test_a_choice_without_a_delta_changes_nothing(field: str) -> None:
    nothing = {"choices": [{"index": 0, field: None}, "x"]}
    assert assembled(delta(content="a"), nothing, {"choices": None}, {})["choices"][0]["message"] == {"content": "a"}


def test_without_a_choice_there_is_no_message() -> None:
    assert assembled({"choices": []}, {"usage": {"prompt_tokens": 1}})["choices"] == []


WHOLE = {"role": "assistant", "content": "Checkout is down."}


@pytest.mark.parametrize(
    "chunks",
    [
        [{"object": "chat.completion", "choices": [{"message": WHOLE, "finish_reason": "stop"}]}],
        [
            {"choices": [{"delta": {"role": "assistant"}, "message": WHOLE | {"content": "Check"}}]},
            {"choices": [{"delta": {}, "message": WHOLE, "finish_reason": "stop"}]},
        ],
        [
            {"choices": [{"delta": {"content": "Checkout "}, "message": WHOLE | {"content": "Checkout "}}]},
            {"choices": [{"delta": WHOLE | {"content": "is down."}, "message": WHOLE, "finish_reason": "stop"}]},
        ],
    ],
    ids=["one completion", "whole messages", "Perplexity: both"],
)
def test_whole_messages_in_a_stream(chunks: list[object]) -> None:
    assert assembled(*chunks)["choices"][0]["message"] == WHOLE


# --- the end ------------------------------------------------------------------------------------------------------


def finished(*chunks: object) -> bool:
    completion = StreamedCompletion()
    for chunk in chunks:
        completion.add(chunk)
    return completion.is_finished


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], False),
        ([delta(content="a")], False),
        ([delta("", content="a")], False),
        ([delta("stop", content="a")], True),
        ([delta(content="a"), delta("length")], True),
        ([delta("stop"), delta(role="assistant", content="")], True),
        ([delta("stop"), {"choices": [], "usage": {}}], True),
        ([delta("stop", content="a"), delta("stop", content="b")], False),
        ([delta("stop"), delta(tool_calls=[CALL])], False),
    ],
    ids=[
        *("nothing", "text only", "LocalAI: empty reason", "in the last delta", "after it", "an empty delta follows"),
        *("usage follows", "Gemini: in each chunk", "calls follow"),
    ],
)
def test_a_completion_is_finished_by_a_reason_after_which_nothing_follows(chunks: list[object], expected: bool) -> None:
    assert finished(*chunks) is expected


def test_a_reason_is_not_replaced_by_an_empty_one() -> None:
    assert assembled(delta("tool_calls"), delta(""), delta())["choices"][0]["finish_reason"] == "tool_calls"


# --- usage --------------------------------------------------------------------------------------------------------

USED = {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}}


def with_usage(usage: object) -> JsonObject:
    return delta(content="a") | {"usage": usage}


@pytest.mark.parametrize(
    "chunks",
    [
        [with_usage(None), with_usage(None), {"choices": [], "usage": USED}],
        [with_usage({"prompt_tokens": 90, "completion_tokens": n}) for n in range(7)] + [{"usage": USED}],
        [with_usage(USED), with_usage({"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": None})],
        [with_usage({"prompt_tokens": 90}), with_usage({key: USED[key] for key in USED if key != "prompt_tokens"})],
        [delta(content="a"), {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "usage": USED}]}],
        [delta(content="a"), delta("stop") | {"x_groq": {"id": "req_1", "usage": USED}}],
        [with_usage("a lot"), with_usage([]), with_usage(USED)],
    ],
    ids=[
        *(
            "last chunk",
            "each chunk",
            "zeros at the end",
            "prompt first",
            "Moonshot: of the choice",
            "Groq: its own field",
        ),
        "nonsense",
    ],
)
def test_usage_in_any_chunk(chunks: list[object]) -> None:
    assert assembled(*chunks)["usage"] == USED


def test_without_usage_it_is_unknown() -> None:
    assert assembled(delta("stop", content="a"))["usage"] is None


# --- errors -------------------------------------------------------------------------------------------------------

OVERLOADED = {"message": "overloaded", "code": 503}


@pytest.mark.parametrize(
    ("chunk", "body"),
    [
        ({"error": OVERLOADED}, {"error": OVERLOADED}),
        ({"error": "overloaded", "choices": []}, {"error": "overloaded", "choices": []}),
        ({"choices": [{"delta": {"content": ""}, "error": OVERLOADED}]}, {"error": OVERLOADED}),
        ({"object": "error", "message": "overloaded"}, {"object": "error", "message": "overloaded"}),
        ({"detail": "overloaded"}, {"detail": "overloaded"}),
        ({"errors": [OVERLOADED]}, {"errors": [OVERLOADED]}),
        ({"code": 1305, "message": "overloaded"}, {"code": 1305, "message": "overloaded"}),
        ([{"error": OVERLOADED}], [{"error": OVERLOADED}]),
    ],
)
def test_an_error_replaces_the_completion(chunk: object, body: object) -> None:
    completion = StreamedCompletion()
    completion.add(delta(content="Check"))
    completion.add(chunk)
    assert completion.error is not None
    assert json.loads(completion.body()) == body


def test_no_error_is_no_error() -> None:
    assert assembled(delta(content="a") | {"error": None})["choices"][0]["message"] == {"content": "a"}


@pytest.mark.parametrize("chunk", [None, 3, "x", [], [delta(content="a")]])
def test_what_is_no_chunk_is_refused(chunk: object) -> None:
    with pytest.raises(ValueError, match="a chunk is not an object"):
        StreamedCompletion().add(chunk)


# --- memory -------------------------------------------------------------------------------------------------------


def test_the_size_counts_what_is_kept() -> None:
    completion = StreamedCompletion()
    for _ in range(1_000):
        completion.add(delta(role="assistant", content="ab", tool_calls=[CALL]))
    assert (completion.characters, completion.size < 5_000) == (2_000 + len("look"), True)


@pytest.mark.parametrize(
    "fields",
    [
        lambda n: {"tool_calls": [CALL | {"index": n, "id": str(n)}]},
        lambda n: {"tool_calls": [CALL | {"index": n}]},
        lambda n: {"reasoning_details": [{"text": ""}]},
        lambda n: {"reasoning_details": [{"index": n, "text": ""}]},
        lambda n: {"content": [[]]},
        lambda n: {f"field {n}": 1},
    ],
    ids=["calls", "indexes", "list", "numbered list", "lists", "fields"],
)
def test_many_small_values_count(fields: Any) -> None:
    completion = StreamedCompletion()
    for n in range(100):
        completion.add(delta(**fields(n)))
    assert completion.size >= 100 * 200


def test_values_of_other_types_replace_each_other() -> None:
    merger, fields = DeltaMerger(), dict[str, Any]()
    for value in (1, 2.5, True, {"a": "x"}, 3, "text", {"b": [1]}, {"b": [2, "y"]}, {"b": "z"}):
        merger.merge(fields, {"field": value})
    assert plain(fields) == {"field": {"b": [1, 2, "yz"]}}
