from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.contracts import JsonObject, ModelReply, RequestedCall, Usage, digest_of
from watchkeeper.llm.completion import MAX_TEXT_BYTES, read_completion
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError

TOOLS: dict[str, JsonObject] = {"search_logs": {}, "page_engineer": {}}
CALL: dict[str, Any] = {
    "id": "functions.search_logs:0",
    "type": "function",
    "function": {"name": "search_logs", "arguments": '{"q":1}'},
}
BLOCK = '<|tool_call_begin|>functions.search_logs:0<|tool_call_argument_begin|>{"q":1}<|tool_call_end|>'
CUT = BLOCK[:-25]
UNKNOWN = '{"name": "find_bugs", "arguments": {}}'
AS_TEXT = '{"name": "search_logs", "arguments": {}}'
USAGE = {"prompt_tokens": 10, "completion_tokens": 5}


def body(message: object, finish: object = "stop", **fields: object) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return json.dumps({"id": "chat-1", "model": "kimi", "choices": [choice], "usage": USAGE} | fields).encode()


def read(raw: bytes, *, tools_allowed: bool = True) -> ModelReply:
    return read_completion(raw, tools=TOOLS, tools_allowed=tools_allowed, prompt_bytes=400)


def read_message(message: dict[str, Any], finish: object = "stop", *, tools_allowed: bool = True) -> ModelReply:
    return read(body({"role": "assistant"} | message, finish), tools_allowed=tools_allowed)


def test_an_ordinary_answer() -> None:
    reply = read_completion(
        body({"role": "assistant", "content": "The deploy broke it."}),
        tools=TOOLS,
        tools_allowed=True,
        prompt_bytes=400,
        trace_id="t-1",
    )
    message = {"role": "assistant", "content": "The deploy broke it."}
    assert reply == ModelReply(
        kind="final",
        message=message,
        digest=digest_of(canonical_json(message)),
        usage=Usage(prompt_tokens=10, completion_tokens=5),
        model="kimi",
        trace_id="t-1",
    )


def test_default_values_are_not_recorded() -> None:
    reply = read(body({"content": "ok"}, None, id=None, model=7))
    assert reply.model_fields_set == {"kind", "message", "digest", "usage"}
    assert reply.usage.model_fields_set == {"prompt_tokens", "completion_tokens"}


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "length", "content_filter", None, "??", 3, {}])
def test_calls_decide_the_kind_not_the_finish_reason(finish: object) -> None:
    reply = read_message({"content": "", "tool_calls": [CALL]}, finish)
    assert reply.kind == "tool_calls"
    assert reply.message == {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert reply.calls == [RequestedCall(name="search_logs", arguments='{"q":1}')]
    assert reply.truncated is (finish == "length")


@pytest.mark.parametrize("none", [[], None, [None], "", {}, "text", 3])
@pytest.mark.parametrize("finish", ["stop", "tool_calls", None])
def test_text_without_calls_is_final(none: object, finish: object) -> None:
    reply = read_message({"content": "Done.", "tool_calls": none}, finish)
    assert reply.kind == "final"
    assert reply.message == {"role": "assistant", "content": "Done."}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Done.", "Done."),
        (
            [{"type": "text", "text": "Do"}, {"type": "text", "text": "ne."}, "!", {"type": "image"}, None, 3],
            "Done.!",
        ),
        ([{"type": "thinking", "text": "hm"}, {"type": "output_text", "text": "Done."}], "Done."),
        ({"type": "text", "text": "Done."}, "Done."),
        ("a\x00b\ud83d", "a\ufffdb\ufffd"),
        ("<think>hm</think>Done.", "<think>hm</think>Done."),
    ],
)
def test_content_becomes_clean_text(content: object, text: str) -> None:
    reply = read_message({"content": content})
    assert (reply.kind, reply.text) == ("final", text)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": None},
        {"content": ""},
        {"content": " \n"},
        {"content": []},
        {"content": [{"type": "text", "text": ""}]},
        {"content": 3},
        {"content": "\x00\ud83d"},
        {"content": "", "reasoning_content": "I should look at the logs."},
        {"content": "<think>I should look"},
        {"content": "<think>I should look</think>\n"},
        {"content": "I should look.\n</think>"},
        {"content": "<|channel|>analysis<|message|>I should look.<|end|>"},
    ],
)
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_reply_without_text_is_empty(message: dict[str, Any], finish: str) -> None:
    reply = read_message(message, finish)
    assert reply.kind == "empty"
    assert not reply.calls
    assert reply.truncated is (finish == "length")


@pytest.mark.parametrize(
    "message",
    [
        {"content": CUT},
        {"content": f"**Status:** it fails.\n\n{CUT}"},
        {"content": UNKNOWN},
        {"content": f"I look.\n<tool_call>{UNKNOWN}</tool_call>"},
        {"content": f"<think>I should look.</think>{CUT}"},
    ],
)
@pytest.mark.parametrize("finish", ["stop", "length"])
def test_a_call_in_the_text_that_cannot_run_is_no_answer(message: dict[str, Any], finish: str) -> None:
    reply = read_message(message, finish)
    assert (reply.kind, reply.calls, reply.text_call) == ("empty", [], True)
    assert reply.truncated is (finish == "length")


@pytest.mark.parametrize("content", [BLOCK, AS_TEXT, f"<tool_call>{AS_TEXT}</tool_call>", f"```json\n{AS_TEXT}\n```"])
def test_a_call_in_the_text_that_can_run_is_a_call(content: str) -> None:
    reply = read_message({"content": content})
    assert (reply.kind, reply.text_call) == ("tool_calls", False)
    assert [call.name for call in reply.calls] == ["search_logs"]
    assert reply.message["content"] is None


@pytest.mark.parametrize("key", ["content", "reasoning_content", "reasoning"])
def test_calls_in_the_text_are_run(key: str) -> None:
    reply = read_message({key: f"I look. {BLOCK}", "tool_calls": []})
    assert reply.kind == "tool_calls"
    assert reply.message == {"role": "assistant", "content": None, "tool_calls": [CALL]} | {key: "I look."}


def test_calls_in_the_reasoning_before_an_answer_are_not_run() -> None:
    assert read_message({"content": "Done.", "reasoning_content": BLOCK}).kind == "final"


def test_text_about_a_token_is_final() -> None:
    assert read_message({"content": "It leaked `<|tool_call_begin|>`."}).kind == "final"


def test_text_calls_next_to_real_calls_are_removed() -> None:
    reply = read_message({"content": f"I look. {BLOCK}", "tool_calls": [CALL]})
    assert reply.message == {"role": "assistant", "content": "I look.", "tool_calls": [CALL]}


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        ({"content": "Done.", "tool_calls": [CALL]}, "final", "Done."),
        ({"content": None, "tool_calls": [CALL]}, "empty", ""),
        ({"content": None, "function_call": CALL["function"]}, "empty", ""),
        ({"content": BLOCK}, "empty", ""),
        ({"content": f"Done. {BLOCK}"}, "empty", "Done."),
        ({"content": f"**Status:** it fails. {BLOCK}"}, "final", "**Status:** it fails."),
        ({"content": f"**Status:** it fails. {CUT}"}, "final", "**Status:** it fails."),
        ({"content": f"<tool_call>{AS_TEXT}</tool_call>"}, "empty", ""),
        ({"content": f"<tool_call>{AS_TEXT}</tool_call>\n## Verdict\nIt fails."}, "final", "## Verdict\nIt fails."),
        ({"content": AS_TEXT}, "empty", ""),
        ({"content": f"```json\n{AS_TEXT}\n```"}, "empty", ""),
        ({"content": None, "reasoning_content": BLOCK}, "empty", ""),
    ],
)
def test_without_tools_calls_of_any_sort_are_removed(message: dict[str, Any], kind: str, text: str) -> None:
    reply = read_message(message, tools_allowed=False)
    assert (reply.kind, reply.text, reply.calls, reply.problems) == (kind, text, [], {})


def test_problems_are_keyed_by_position() -> None:
    bad = CALL | {"function": {"name": "search_logs", "arguments": '{"q":'}}
    reply = read_message({"tool_calls": [CALL, bad]}, "length")
    assert list(reply.problems) == [1]
    assert "cut at the token limit" in reply.problems[1]
    assert [call["id"] for call in reply.message["tool_calls"]] == [CALL["id"], "functions.search_logs:1"]


@pytest.mark.parametrize("calls", [[CALL] * 40, CALL])
def test_calls_in_every_container(calls: object) -> None:
    reply = read_message({"tool_calls": calls})
    assert len(reply.calls) == (32 if isinstance(calls, list) else 1)
    assert reply.dropped == (8 if isinstance(calls, list) else 0)


def test_the_legacy_call_is_one_call() -> None:
    reply = read_message({"content": None, "function_call": {"name": "search_logs", "arguments": '{"q":1}'}})
    assert reply.message == {"role": "assistant", "content": None, "tool_calls": [CALL]}


def test_unknown_fields_are_sent_back_and_response_only_fields_are_not() -> None:
    details = [{"type": "reasoning.text", "text": "hm\ud83d", "signature": None}]
    reply = read_message(
        {
            "role": "model",
            "content": "Done.",
            "reasoning_content": "",
            "reasoning_details": details,
            "ratio": float("inf"),
            "refusal": None,
            "annotations": [],
            "audio": None,
            "function_call": None,
            "provider_specific_fields": None,
        }
    )
    assert reply.message == {
        "role": "assistant",
        "content": "Done.",
        "reasoning_content": "",
        "reasoning_details": [{"type": "reasoning.text", "text": "hm\ufffd", "signature": None}],
        "ratio": "inf",
    }


def test_unknown_fields_too_deep_or_too_large_are_left_out() -> None:
    deep = json.loads("[" * 100 + "]" * 100)
    reply = read_message({"content": "Done.", "deep": deep, "large": "x" * 300_000, "small": 1})
    assert reply.message == {"role": "assistant", "content": "Done.", "small": 1}


@pytest.mark.parametrize("key", ["content", "reasoning_content"])
def test_giant_text_is_cut_and_says_so(key: str) -> None:
    reply = read_message({"content": "Done.", key: "é\n" * 300_000})
    assert reply.kind == "final"
    assert not reply.truncated, "it would be asked for again, with a larger token cap"
    assert reply.message[key].endswith("bytes were cut here]")
    assert len(reply.message[key].encode()) < MAX_TEXT_BYTES + 100


def test_white_space_is_cut_before_text() -> None:
    reply = read_message({"content": " " * 300_000 + "Done."})
    assert (reply.text, reply.truncated) == ("Done.", False)


def test_a_message_too_large_to_record_is_retryable() -> None:
    arguments = json.dumps({"text": "x" * 60_000})
    calls = [CALL | {"function": {"name": "search_logs", "arguments": arguments}}] * 32
    with pytest.raises(ModelError, match="bytes, more than") as caught:
        read_message({"tool_calls": calls})
    assert caught.value.reason == "malformed"


@pytest.mark.parametrize(
    ("message", "finish"),
    [
        ({"content": None, "refusal": "I cannot help with that."}, "stop"),
        ({"content": [{"type": "refusal", "refusal": "I cannot."}]}, "stop"),
        ({"content": ""}, "content_filter"),
        ({"content": "The deploy br"}, "content_filter"),
        ({"content": None}, "content_filter: PROHIBITED_CONTENT"),
        (None, "content_filter"),
    ],
)
def test_a_withheld_answer_is_a_failure(message: object, finish: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(body(message, finish))
    assert (caught.value.reason, caught.value.retryable) == ("content_filter", False)


@pytest.mark.parametrize("finish", ["error", "abort", "ERROR", "network_error"])
@pytest.mark.parametrize("message", [{"content": "The deploy br"}, {"content": None, "tool_calls": [CALL]}])
def test_an_answer_that_the_host_broke_off_is_no_reply(finish: str, message: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=f"broke off its answer: {finish}") as caught:
        read_message(message, finish)
    assert (caught.value.reason, caught.value.retryable) == ("unavailable", True)
    with pytest.raises(ModelError, match="top up") as caught:
        read(body(message, finish, error={"message": "top up", "code": 402}))
    assert caught.value.reason == "quota"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"null",
        b"[]",
        b"{}",
        b"3",
        b'"text"',
        b"<html><title>Welcome</title></html>",
        b'data: {"choices": []}\n\ndata: [DONE]\n\n',
        body({"content": "Done."})[:-20],
        body({"content": "Done."}).replace(b"Done", b"D\xff"),
        b"[" * 100_000,
        b'{"choices": null}',
        b'{"choices": []}',
        b'{"choices": {}}',
        b'{"choices": [null]}',
        b'{"choices": [{}]}',
        body(None),
        body("text"),
        body([]),
    ],
    ids=lambda raw: ascii(raw)[:40],
)
def test_a_body_without_a_completion_is_retryable(raw: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        read(raw)
    assert (caught.value.reason, caught.value.retryable) == ("malformed", True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"error": {"code": 401, "message": "x"}}, "auth"),
        ({"error": {"code": 502, "message": "x"}, "choices": []}, "unavailable"),
        ({"error": "overloaded", "choices": None}, "unavailable"),
        ([{"error": {"code": 403}}], "auth"),
        ({"object": "error", "message": "x", "code": 404}, "refused"),
        ({"choices": [{"error": {"code": 402}, "message": {"content": "The dep"}}]}, "quota"),
        ({"error": {"code": 401}, "choices": [{"message": {"content": ""}}]}, "auth"),
        ({"errors": [{"code": "invalid_api_key"}]}, "auth"),
    ],
)
def test_an_error_inside_a_success_is_classified(answer: object, reason: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(json.dumps(answer).encode())
    assert caught.value.reason == reason


def test_an_answer_next_to_an_error_is_used() -> None:
    assert read(body({"content": "Done."}, error={"code": 0})).kind == "final"


def test_usage_in_the_choice_and_no_usage() -> None:
    message = {"message": {"content": "Done."}, "usage": USAGE}
    assert read(json.dumps({"choices": [message]}).encode()).usage == Usage(prompt_tokens=10, completion_tokens=5)
    unknown = body({"content": "Done."}, usage=None)
    expected = Usage(prompt_tokens=100, completion_tokens=-(-len(unknown) // 4), estimated=True)
    assert read(unknown).usage == expected


def test_an_empty_reply_costs_nothing() -> None:
    nothing = body({"content": ""}, usage={"prompt_tokens": 10, "completion_tokens": 0})
    assert read(nothing).usage == Usage(prompt_tokens=10)


def test_labels_are_clean_and_short() -> None:
    reply = read(body({"content": "Done."}, "stop\x00", id="x" * 500, model="k\ud83d"))
    assert (reply.finish_reason, reply.response_id, reply.model) == ("stop\ufffd", "x" * 200, "k\ufffd")


def test_a_byte_order_mark_is_no_error() -> None:
    assert read(b"\xef\xbb\xbf" + body({"content": "Done."})).kind == "final"
