from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest

from watchkeeper.llm.error_body import parse_json
from watchkeeper.llm.errors import ModelError, ModelErrorReason, error_from_object, error_from_response
from watchkeeper.text import ERROR_BYTES

MOONSHOT_OVERFLOW = "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)"
TOGETHER_OVERFLOW = "The max_tokens parameter must be less than the context length"
GROQ_OVERFLOW = "Request too large for model `x` in organization `o` on tokens per minute (TPM): Limit 6000"
NGINX_413 = "<html><head><title>413 Request Entity Too Large</title></head><body>nginx</body></html>"


def refuse(status: int, body: object, **headers: str) -> ModelError:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return error_from_response(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, {"error": {"message": MOONSHOT_OVERFLOW, "type": "invalid_request_error"}}, "context_overflow"),
        (400, {"error": {"message": "too long", "code": "context_length_exceeded"}}, "context_overflow"),
        (
            400,
            {"object": "error", "message": "This model's maximum context length is 8 tokens", "code": 400},
            "context_overflow",
        ),
        (400, {"error": {"message": "too big", "type": "exceed_context_size_error"}}, "context_overflow"),
        (400, {"error": "request exceeds the available context size, try more"}, "context_overflow"),
        (403, {"error": {"message": TOGETHER_OVERFLOW}}, "context_overflow"),
        (413, {"error": {"message": GROQ_OVERFLOW, "code": "rate_limit_exceeded"}}, "context_overflow"),
        (400, {"error": {"message": "prompt is too long: 210000 tokens > 200000"}}, "context_overflow"),
        (422, [{"error": {"message": "The input token count exceeds the maximum"}}], "context_overflow"),
        (
            400,
            {
                "error": {
                    "message": "Provider returned error",
                    "metadata": {"raw": "maximum context length is 8"},
                }
            },
            "context_overflow",
        ),
        (429, {"error": {"message": "maximum context length"}}, "unavailable"),
        (413, NGINX_413, "refused"),
        (413, {"error": {"message": "Request too large: at most 32 MB"}}, "refused"),
        (422, {"detail": [{"msg": "field required", "input": "maximum context length"}]}, "refused"),
        (400, {"error": {"code": "tool_use_failed", "failed_generation": "<function"}}, "tool_use_failed"),
        (400, {"error": "tool_choice 'specified' is incompatible with thinking enabled"}, "tool_choice"),
        (400, {"error": {"message": "unsupported", "param": "tool_choice"}}, "tool_choice"),
        (404, {"error": {"message": "No endpoints that support the provided 'tool_choice'"}}, "tool_choice"),
        (400, {"error": {"message": "high risk", "type": "content_filter"}}, "content_filter"),
        (429, {"error": {"message": "spent", "type": "exceeded_current_quota_error"}}, "quota"),
        (429, {"error": {"message": "spent", "code": "insufficient_quota"}}, "quota"),
        (402, "", "quota"),
        (429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}}], "unavailable"),
        (401, {"error": {"message": "bad key"}}, "auth"),
        (403, {"error": {"message": "no", "type": "permission_error"}}, "auth"),
        (400, {"error": {"message": "no", "code": "invalid_api_key"}}, "auth"),
        (400, {"error": {"message": "invalid temperature: only 1 is allowed for this model"}}, "refused"),
        (404, {"error": {"message": "no such model"}}, "refused"),
        (405, "", "refused"),
        (408, "", "unavailable"),
        (409, "", "unavailable"),
        (425, "", "unavailable"),
        (500, "boom", "unavailable"),
        (500, {"error": {"type": "authentication_error"}}, "unavailable"),
        (503, "<html>busy</html>", "unavailable"),
        (529, {"error": {"type": "overloaded_error"}}, "unavailable"),
        (204, "", "malformed"),
    ],
)
def test_the_reason_of_a_refusal(status: int, body: object, reason: ModelErrorReason) -> None:
    error = refuse(status, body)
    assert error.reason == reason
    assert error.retryable == (reason in {"unavailable", "malformed", "tool_use_failed"})


OVERFLOWS: list[object] = [
    {"error": {"message": "too long", "code": "context_length_exceeded"}},
    {"error": {"message": "too long", "type": "exceed_context_size_error"}},
    {"object": "error", "message": "This model's Maximum Context Length is 8 tokens", "code": 400},
    {"error": "request exceeds the available context size"},
    {"error": {"message": MOONSHOT_OVERFLOW}},
    {"error": {"message": TOGETHER_OVERFLOW}},
    {"error": {"message": GROQ_OVERFLOW}},
    {"error": {"message": "prompt is too long: 210000 tokens > 200000"}},
    [{"error": {"message": "The input token count exceeds the maximum"}}],
    [{"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}}],
    {"object": "error", "message": "The decoder prompt (length 40) is longer than the maximum model length of 16."},
    {
        "object": "error",
        "message": "The prompt (total length 40) is too long to fit into the model (context length 16)",
    },
    {"object": "error", "message": "The input (40 tokens) is longer than the model's context length (16 tokens)."},
    {"object": "error", "message": "Input length (40 tokens) exceeds the maximum allowed length (16 tokens)."},
    {"error": "Input validation error: `inputs` must have less than 16 tokens. Given: 40"},
    {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 16. Given: 40 `inputs` tokens"},
    {"error": "The model is loaded with context length of only 16 tokens, which is not enough."},
    {"error": "The number of tokens to keep is greater than the context length (n_keep: 40>= n_ctx: 16)."},
    {"error": "The model does not currently support mid-generation context overflow."},
    {"error": {"message": "the input length exceeds the context length"}},
    {"message": "Input is too long for requested model."},
    {"error": {"message": "This model's maximum prompt length is 16 but the request contains 40 tokens."}},
    {"error": {"message": "Please reduce the length of the messages or completion."}},
    {"error": {"message": "Range of input length should be [1, 16]"}},
    {"error": {"code": "1261", "message": "Prompt exceeds max length"}},
    {"error": {"message": "invalid params, context window exceeds limit (2013)"}},
    {"error": {"code": "tokens_limit_reached", "message": "Request body too large. Max size: 16 tokens."}},
    {"error": {"message": "prompt token count of 40 exceeds the limit of 16"}},
    {
        "errors": [
            {"message": "The number of input and output tokens (40) exceeded this model context window limit (16)."}
        ]
    },
    {"error": {"message": "Your input exceeds the context window of this model."}},
    {"error": {"message": "litellm.ContextWindowExceededError: too big"}},
    {"message": "total number of tokens in the prompt cannot exceed 16 - received 40."},
    {"error": {"message": "Input tokens exceed the configured limit of 16 tokens."}},
]


@pytest.mark.parametrize("message", OVERFLOWS, ids=lambda message: str(message)[:60])
@pytest.mark.parametrize(
    ("status", "overflow"),
    [(400, True), (403, True), (413, True), (422, True), (401, False), (404, False), (429, False), (500, False)],
)
def test_an_overflow_is_recognised_by_its_text_for_some_statuses(status: int, message: object, overflow: bool) -> None:
    assert (refuse(status, message).reason == "context_overflow") is overflow


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 16000. This model supports at most 4096 completion tokens.",
        "Invalid 'tools[0].function.description': string too long. Expected a string with maximum length 1024.",
        "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40.",
        "Request exceeds the maximum size of 32 MB",
        "The model's context is not available",
    ],
)
def test_other_limits_are_no_overflow(message: str) -> None:
    assert refuse(400, {"error": {"message": message}}).reason == "refused"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "Your credit balance is too low to access the Anthropic API."}}),
        (403, {"code": "x", "error": "Your team has either used all available credits or reached its spending limit."}),
        (403, {"error": {"message": "Key limit exceeded (total limit). Manage it", "code": 403}}),
        (429, {"error": {"message": "Insufficient balance or no resource package. Please recharge.", "code": "1113"}}),
        (429, {"error": {"message": "x", "code": "billing_hard_limit_reached"}}),
        (429, {"error": {"message": "x", "type": "billing_not_active"}}),
        (400, {"error": {"message": "x", "code": "Arrearage"}}),
    ],
)
def test_spent_money_is_a_quota(status: int, body: object) -> None:
    assert refuse(status, body).reason == "quota"


@pytest.mark.parametrize(
    "message",
    [
        "You exceeded your current quota, please check your plan and billing details. Please retry in 34.07s.",
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 28000, Requested 9000.",
        "Too many tokens, please wait before trying again.",
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free requests per day",
    ],
)
def test_a_rate_limit_is_neither_a_quota_nor_an_overflow(message: str) -> None:
    assert refuse(429, {"error": {"message": message}}).reason == "unavailable"


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please retry in 34.07s.", 34.07),
        ("Please try again in 7m12.5s. Visit the console.", 432.5),
        ("Please try again in 20ms.", 0.02),
        ("Please retry after 26 seconds.", 26),
        ("Please try again in 1h2m3s", 3_723),
        ("Wait for 3 minutes", 180),
        ("Please try again in 400 hours", 86_400),
        ("Please try again in 5 months", None),
        ("Please try again later", None),
    ],
)
def test_the_delay_may_be_in_the_text(message: str, seconds: float | None) -> None:
    error = refuse(429, {"error": {"message": message}})
    assert error.delay == (None if seconds is None else timedelta(seconds=seconds))
    assert refuse(429, {"error": {"message": message}}, Retry_After="3").delay == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("This model doesn't support the toolConfig.toolChoice.any field.", "tool_choice"),
        ("Tool choice 'required' is not supported for this model", "tool_choice"),
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', "refused"),
    ],
)
def test_tool_choice_in_other_spellings(said: str, reason: ModelErrorReason) -> None:
    assert refuse(400, {"error": {"message": said}}).reason == reason


@pytest.mark.parametrize(
    ("status", "headers", "retryable"),
    [
        (400, {"X_Should_Retry": "true"}, True),
        (401, {"x_should_retry": "true"}, True),
        (500, {"x_should_retry": "false"}, False),
        (429, {"x_should_retry": "maybe"}, True),
    ],
)
def test_the_host_decides_whether_to_retry(status: int, headers: dict[str, str], retryable: bool) -> None:
    assert refuse(status, {"error": {"message": "x"}}, **headers).retryable is retryable


def test_spent_quota_is_not_retried_even_if_the_host_says_so() -> None:
    error = refuse(429, {"error": {"code": "insufficient_quota"}}, x_should_retry="true", retry_after="3")
    assert (error.reason, error.retryable, error.delay) == ("quota", False, None)


@pytest.mark.parametrize(
    ("value", "delay"),
    [("3", 3), ("0.5", 0.5), ("nan", None), ("-1", None), ("soon", None), ("7200", 7_200), ("9999999", 86_400)],
)
def test_the_delay_a_host_asks_for(value: str, delay: float | None) -> None:
    expected = None if delay is None else timedelta(seconds=delay)
    assert refuse(429, {}, Retry_After=value).delay == expected


def test_a_redirect_names_its_target() -> None:
    error = refuse(301, "", Location="https://api.example/v2")
    assert error.reason == "refused"
    assert "https://api.example/v2" in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"error": {"message": "one"}}, "HTTP 400: one"),
        ({"error": "two"}, "HTTP 400: two"),
        ([{"error": {"message": "three"}}], "HTTP 400: three"),
        ({"object": "error", "message": "four", "code": 400}, "HTTP 400: four"),
        ({"detail": "five"}, "HTTP 400: five"),
        ({"errors": [{"code": "bad", "message": "six"}]}, "HTTP 400: six"),
        ({"detail": [{"loc": ["body", "a"], "msg": "one"}, {"msg": "two"}]}, "HTTP 400: body.a: one; two"),
        ({"detail": [{"msg": "one"}, {"msg": "one"}]}, "HTTP 400: one"),
        ({"error": "Bad Request", "message": "no field x"}, "HTTP 400: Bad Request: no field x"),
        ({"error": "two", "message": "two"}, "HTTP 400: two"),
        ("seven, no JSON", "HTTP 400: 'seven, no JSON'"),
        ('"eight"', "HTTP 400: eight"),
        ("", "HTTP 400: an empty body"),
        (NGINX_413, "HTTP 400: an HTML page (413 Request Entity Too Large)"),
        ({"error": {"message": None}}, """HTTP 400: '{"error": {"message": null}}'"""),
        ([], "HTTP 400: '[]'"),
    ],
)
def test_the_message_of_the_host_is_kept(body: object, message: str) -> None:
    assert str(refuse(400, body)) == message


@pytest.mark.parametrize("message", ["Incorrect API key provided", "Incorrect API key provided."])
def test_the_remedy_is_a_separate_sentence(message: str) -> None:
    remedy = "Check the API key and what it may use."
    assert str(refuse(401, {"error": {"message": message}})) == f"HTTP 401: Incorrect API key provided. {remedy}"


def test_the_text_is_clean_and_short() -> None:
    text = str(refuse(400, {"error": {"message": "\ud83d\x00" + "x" * 500_000}}))
    text.encode()
    assert "\x00" not in text
    assert len(text.encode()) < ERROR_BYTES + 100


def test_no_error_text_takes_long() -> None:
    began = time.perf_counter()
    refuse(413, {"error": {"message": "request too large " * 30_000}})
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("body", [b"[" * 100_000, b"\xff", b"", b"{", b"1" * 5_000])
def test_a_body_that_cannot_be_parsed_is_one_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(body)
    assert error_from_response(400, {}, body).reason == "refused"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": {"code": 401, "message": "x"}}, "auth"),
        ({"error": {"code": "403", "message": "x"}}, "auth"),
        ({"error": {"code": 402, "message": "x"}}, "quota"),
        ({"error": {"code": 404, "message": "x"}}, "refused"),
        ({"error": {"code": 400, "message": "x"}}, "unavailable"),
        ({"error": {"code": 400, "message": MOONSHOT_OVERFLOW}}, "context_overflow"),
        ({"error": {"message": MOONSHOT_OVERFLOW}}, "context_overflow"),
        ({"error": {"code": "invalid_api_key"}}, "auth"),
        ({"error": {"code": "insufficient_quota"}}, "quota"),
        ({"error": {"code": 502, "message": "x"}}, "unavailable"),
        ({"error": True}, "unavailable"),
        ([{"error": {"code": 401}}], "auth"),
        ({"object": "error", "code": 404, "message": "x"}, "refused"),
    ],
)
def test_an_error_inside_a_success(body: object, reason: ModelErrorReason) -> None:
    assert error_from_object(body).reason == reason
