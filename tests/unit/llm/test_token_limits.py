"""What hosts say when a request has too many tokens, each in the host's own words, and the next limit that is tried."""

from __future__ import annotations

import pytest

from watchkeeper.llm.token_limits import TokenRefusal, fitted_limit

LIMIT = 16_000
ESTIMATE = 2_000

WINDOW_REFUSALS = {
    "vLLM": (
        "'max_tokens' or 'max_completion_tokens' is too large: 16000. This model's maximum context length is 16384 "
        "tokens and your request has 2500 input tokens (16000 > 16384 - 2500)."
    ),
    "OpenAI and older vLLM": (
        "This model's maximum context length is 16384 tokens. However, you requested 18500 tokens (2500 in the "
        "messages, 16000 in the completion). Please reduce the length of the messages or completion."
    ),
    "OpenAI, before chat": (
        "This model's maximum context length is 16384 tokens, however you requested 18500 tokens (2500 in your prompt; "
        "16000 for the completion)."
    ),
    "OpenRouter": (
        "This endpoint's maximum context length is 16384 tokens. However, you requested about 18500 tokens (2500 of "
        "text input, 16000 in the output)."
    ),
    "SGLang": (
        "Requested token count exceeds the model's maximum context length of 16384 tokens. You requested a total of "
        "18500 tokens: 2500 tokens from the input messages and 16000 tokens for the completion."
    ),
    "Text Generation Inference": (
        "`inputs` tokens + `max_new_tokens` must be <= 16384. Given: 2500 `inputs` tokens and 16000 `max_new_tokens`"
    ),
    "Anthropic": (
        "input length and `max_tokens` exceed context limit: 2500 + 16000 > 16384, decrease input length or "
        "`max_tokens` and try again"
    ),
    "Moonshot": "Invalid request: Your request exceeded model token limit: 16384 (requested: 18500)",
    "Groq": (
        "Request too large for model `qwen` in organization `org` on tokens per minute (TPM): Limit 16,384, "
        "Requested 18,500, please reduce your message size and try again."
    ),
    "llama.cpp": "exceed_context_size_error request (2500 tokens) exceeds the available context size (16384 tokens)",
    "llama.cpp, in fields": (
        "exceed_context_size_error n_prompt_tokens 2500 n_ctx 16384 the request exceeds the available context size"
    ),
    "Mistral": (
        "Prompt contains 2500 tokens and 0 draft tokens, too large for model with 16384 maximum context length"
    ),
}

TOO_LONG = {
    "vLLM, the decoder": "The decoder prompt (length 40000) is longer than the maximum model length of 16384.",
    "vLLM, to fit": "The prompt (total length 40000) is too long to fit into the model (context length 16384).",
    "vLLM, in brackets": "Input length (40000) exceeds model's maximum context length (16384).",
    "SGLang": "The input (40000 tokens) is longer than the model's context length (16384 tokens).",
    "SGLang, allowed": "Input length (40000 tokens) exceeds the maximum allowed length (16384 tokens).",
    "Text Generation Inference": "`inputs` must have less than 16384 tokens. Given: 40000",
    "LM Studio": (
        "Trying to keep the first 40000 tokens when context the overflows. However, the model is loaded with context "
        "length of only 16384 tokens, which is not enough."
    ),
    "LM Studio, in fields": "number of tokens is greater than the context length (n_keep: 40000>= n_ctx: 16384).",
    "Fireworks": "The prompt is too long: 40000, model maximum context length: 16384",
    "Gemini": "The input token count (40000) exceeds the maximum number of tokens allowed (16384).",
    "xAI": "This model's maximum prompt length is 16384 but the request contains 40000 tokens.",
    "Cerebras": "Please reduce the length of the messages. Current length is 40000 while limit is 16384",
    "Copilot": "prompt token count of 40000 exceeds the limit of 16384",
    "OpenAI, messages": (
        "This model's maximum context length is 16384 tokens. However, your messages resulted in 40000 tokens."
    ),
    "Cohere": "total number of tokens in the prompt cannot exceed 16384 - received 40000. Try a shorter prompt",
    "OpenAI, the configured limit": (
        "Input tokens exceed the configured limit of 16384 tokens. Your messages resulted in 40000 tokens."
    ),
}


@pytest.mark.parametrize("text", TOO_LONG.values(), ids=TOO_LONG)
def test_a_prompt_that_is_too_long_has_no_limit_but_names_the_window(text: str) -> None:
    refusal = TokenRefusal.read(text.lower(), LIMIT)
    assert refusal is not None
    assert (refusal.window, refusal.prompt) == (16_384, 40_000)
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) is None


@pytest.mark.parametrize(
    "text",
    [
        "maximum context length is 32768 tokens. However, you requested 38500 tokens (22000 in the messages, 500 in "
        "the functions, 16000 in the completion).",
        "maximum context length is 32768 tokens. However, you requested about 38500 tokens (22000 of text input, 500 "
        "of tool input, 16000 in the output).",
        "number of input and maximum output tokens (38500) exceeded this model context window limit (32768).",
    ],
)
def test_tools_that_a_host_counts_apart_belong_to_the_prompt(text: str) -> None:
    refusal = TokenRefusal.read(text.lower(), LIMIT)
    assert refusal is not None
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) == 32_768 - 22_500


COMPLETION_REFUSALS = {
    "FastAPI": "body.max_completion_tokens: Input should be less than or equal to 4096",
    "OpenAI, as an integer": (
        "Invalid 'max_completion_tokens': integer above maximum value. Expected a value <= 4096, but got 16000 instead."
    ),
    "a range": "max_completion_tokens should be between 1 and 4096",
    "an excess": "max_tokens cannot exceed 4096",
    "an excess of output": "The number of output tokens (16000) exceeds the limit of 4096",
    "OpenAI": (
        "max_tokens is too large: 16000. This model supports at most 4096 completion tokens, whereas you provided "
        "16000."
    ),
    "DeepSeek": "Invalid max_tokens value, the valid range of max_tokens is [1, 4096]",
    "Qwen": "Range of max_tokens should be [1, 4096]",
    "Groq": (
        "`max_completion_tokens` must be less than or equal to `4096`, the maximum value for `max_completion_tokens` "
        "is less than the `context_window` for this model"
    ),
    "Anthropic": "max_tokens: 16000 > 4096, which is the maximum allowed number of output tokens for this model",
    "Bedrock": (
        "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that "
        "is lower than 4096."
    ),
}


@pytest.mark.parametrize("text", WINDOW_REFUSALS.values(), ids=WINDOW_REFUSALS)
def test_the_next_limit_is_the_room_that_the_host_counts(text: str) -> None:
    refusal = TokenRefusal.read(text.lower(), LIMIT)
    assert refusal is not None
    assert (refusal.window, refusal.prompt, refusal.completion) == (16_384, 2_500, None)
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) == 16_384 - 2_500


@pytest.mark.parametrize("text", COMPLETION_REFUSALS.values(), ids=COMPLETION_REFUSALS)
def test_the_next_limit_is_the_largest_that_the_host_names(text: str) -> None:
    refusal = TokenRefusal.read(text.lower(), LIMIT)
    assert refusal is not None
    assert (refusal.window, refusal.completion) == (None, 4_096)
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) == 4_096


def test_without_numbers_a_quarter_is_tried() -> None:
    text = "max_tokens parameter must be less than the context length"  # Together
    refusal = TokenRefusal.read(text, LIMIT)
    assert refusal is not None
    assert (refusal.window, refusal.prompt, refusal.completion) == (None, None, None)
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) == 4_000


def test_a_host_that_only_gives_a_lower_bound_of_the_prompt_is_asked_a_few_times() -> None:
    """Newer vLLM stops to count as soon as the prompt is too long."""
    limit, window, prompt, asked = LIMIT, 32_768, 29_000, 0
    while prompt + limit > window:
        text = (
            f"This model's maximum context length is {window} tokens. However, you requested {limit} output tokens and "
            f"your prompt contains at least {window - limit + 1} input tokens, for a total of at least {window + 1} "
            "tokens. Please reduce the length of the input prompt or the number of requested output tokens."
        )
        refusal = TokenRefusal.read(text.lower(), limit)
        assert refusal is not None
        smaller = refusal.next_limit(limit, ESTIMATE, asked)
        assert smaller is not None
        limit, asked = smaller, asked + 1
    assert asked <= 4


def test_a_prompt_that_leaves_no_room_has_no_limit() -> None:
    text = WINDOW_REFUSALS["vLLM"].replace("2500", "16000").lower()
    refusal = TokenRefusal.read(text, LIMIT)
    assert refusal is not None
    assert refusal.next_limit(LIMIT, ESTIMATE, 0) is None


@pytest.mark.parametrize(
    "text",
    [
        "the message at position 3 with role 'assistant' must not be empty",
        "unexpected role 'user' after role 'tool'",
        "tool_choice 'specified' is incompatible with thinking enabled",
        "extra_forbidden body.max_completion_tokens: extra inputs are not permitted",
        "incorrect api key provided",
        "tools.0.function.description: string exceeds maximum allowed length (1024)",
        "number of tools exceeds the limit of 128",
        "the number of messages cannot exceed 512",
    ],
)
def test_other_refusals_are_not_about_tokens(text: str) -> None:
    assert TokenRefusal.read(text, LIMIT) is None


@pytest.mark.parametrize(
    ("limit", "window", "estimate", "expected"),
    [
        (16_000, 262_144, 2_000, 16_000),
        (16_000, 16_384, 2_000, 14_120),
        (16_000, 16_384, 16_000, 1_024),
        (16_000, 4_096, 9_000, 512),
        (100, 16_384, 2_000, 100),
    ],
)
def test_a_limit_is_fitted_into_the_window(limit: int, window: int, estimate: int, expected: int) -> None:
    assert fitted_limit(limit, window, estimate) == expected
