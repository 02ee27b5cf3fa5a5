"""Fit the token limit of a completion into a context window, also by what a host says when it refuses (pure)."""

from __future__ import annotations

import re
from typing import NamedTuple

SHORTEST_COMPLETION = 1_024
"""Tokens. A completion with less room than this, or than an eighth of a small window, cannot hold a report."""

ESTIMATE_MARGIN = 10
"""A tenth of an estimate is kept free, because it may be too low."""
FRAMING = 64
"""Tokens that a host adds around the messages."""

_NUMBER_SEPARATOR = re.compile(r"(?<=\d)[,_](?=\d{3}(?!\d))")
_COMPLETION_NAMED = re.compile(
    r"max_(?:completion_|new_|output_)?tokens|maxoutputtokens|(?:completion|output) tokens|in the completion"
)
_TOO_LARGE = re.compile(
    r"too (?:large|high|big|long|many)|exceed|at most|less than|greater than|maximum|range|limit|between|<="
)

_WINDOW = [
    r"\d+ \+ \d+ > (\d+)",  # Anthropic
    r"tokens > (\d+) maximum",  # Anthropic
    # OpenAI, vLLM, SGLang, OpenRouter, LM Studio, Cloudflare
    r"context (?:length|window|size|limit)(?: size| limit)?(?: of| only| is|:)*\s*[`(]?(\d+)",
    r"maximum (?:model|prompt) length (?:of|is) (\d+)",  # vLLM, xAI
    r"maximum allowed length \((\d+) tokens",  # SGLang
    r"maximum number of tokens allowed \(?(\d+)",  # Gemini
    r"(?:prompt|input) token(?:s| count)\b[^.]{0,40}exceeds? the (?:configured )?limit of (\d+)",  # Copilot, OpenAI
    r"tokens in the prompt cannot exceed (\d+)",  # Cohere
    r"current length is \d+ while limit is (\d+)",  # Cerebras
    r"range of input length should be \[\d+, ?(\d+)",  # Qwen
    r"max size: (\d+) tokens",  # GitHub
    r"`inputs` must have less than (\d+) tokens",  # Text Generation Inference
    r"available context size \((\d+)",  # llama.cpp
    r"\bn_ctx:? (\d+)",  # llama.cpp, as a field; LM Studio
    r"(\d+) (?:tokens? )?maximum context length",  # Mistral
    r"\+ `?max_new_tokens`? must be <= (\d+)",  # Text Generation Inference
    r"exceeded model token limit: (\d+)",  # Moonshot
    r"tokens per minute.*?limit (\d+)",  # Groq
]
_PROMPT = [
    r"(\d+) (?:`inputs` tokens|input tokens)",  # vLLM, Text Generation Inference
    r"(\d+)(?: tokens)? (?:in the messages|in your prompt|from the input|of text input)",  # OpenAI, SGLang, OpenRouter
    r"(?:prompt|input) contains (\d+)",  # Mistral
    r"\brequest \((\d+) tokens",  # llama.cpp
    r"\bn_prompt_tokens (\d+)",  # llama.cpp, as a field
    r"(\d+) \+ \d+ > \d+",  # Anthropic
    r"(\d+) tokens > \d+ maximum",  # Anthropic
    r"prompt is too long: (\d+)",  # Fireworks
    r"(?:prompt|input) (?:length |token count )?\((?:total length |length )?(\d+)",  # vLLM, SGLang, Gemini
    r"prompt token count of (\d+)",  # Copilot
    r"messages resulted in (\d+)",  # OpenAI
    r"request contains (\d+) tokens",  # xAI
    r"current length is (\d+)",  # Cerebras
    r"keep the first (\d+) tokens|\bn_keep: (\d+)",  # LM Studio
    r"cannot exceed \d+ - received (\d+)",  # Cohere
    r"`inputs` must have less than \d+ tokens. given: (\d+)",  # Text Generation Inference
]
_TOTAL = [
    r"requested:? (?:a total of |about )?(\d+)\b(?! output)",
    r"maximum output tokens \((\d+)\)",
]
"""Prompt and completion: Moonshot, Groq and others; Cloudflare."""

_COMPLETION = [
    r"(?:supports|allows|accepts) (?:at most|up to|a maximum of) (\d+)",  # OpenAI
    r"(?:range of `?max_\w*tokens`? (?:is|should be)|valid range is) [\[(]\d+, ?(\d+)",  # DeepSeek, Qwen
    r"max_\w*tokens`?(?: must be|:) (?:less than or equal to|at most) `?(\d+)",  # Groq
    r"max_tokens: \d+ > (\d+)",  # Anthropic
    r"max_\w*tokens\b[^.]{0,60}less than or equal to `?(\d+)",  # FastAPI
    r"max_\w*tokens\b.{0,60}expected a value <= (\d+)",  # OpenAI
    r"max_\w*tokens\b[^.]{0,40}between \d+ and (\d+)",
    r"(?:max_\w*|output |completion )tokens\b[^.]{0,40}exceeds? (?:the [\w ]{0,20}limit of )?(\d+)",
    r"exceeds the model limit of (\d+)",  # Amazon Bedrock
]


class TokenRefusal(NamedTuple):
    """What a host says about tokens when it refuses a request. None: it does not say it."""

    window: int | None
    """The model's context window."""
    prompt: int | None
    """The tokens of the prompt."""
    completion: int | None
    """The largest limit of a completion."""

    @classmethod
    def read(cls, text: str, limit: int) -> TokenRefusal | None:
        """Read the refusal, in lower case, of a request with this limit; None if it is about something else."""
        text = _NUMBER_SEPARATOR.sub("", text)
        window, total = _first(_WINDOW, text), _first(_TOTAL, text)
        prompt = _first(_PROMPT, text)
        if total is not None and total > limit:  # some hosts count messages and tools apart
            prompt = max(prompt or 0, total - limit)
        completion = _first(_COMPLETION, text)
        if window is None and completion is None and not (_COMPLETION_NAMED.search(text) and _TOO_LARGE.search(text)):
            return None
        return cls(window, prompt, completion)

    def next_limit(self, limit: int, estimate: int, refusals: int) -> int | None:
        """Return a smaller limit to try; None if the prompt leaves no room for a completion.

        ``estimate``: tokens of the prompt, used if the host does not count them. ``refusals``: how many smaller limits
        it has refused already. Some hosts only say that the prompt has "at least" some tokens, so the steps grow.
        """
        fitted = limit if self.completion is None else min(limit, self.completion)
        if self.window is not None:
            fitted = min(fitted, self.window - (estimate if self.prompt is None else self.prompt))
        if fitted >= limit:
            fitted = limit // 4
        if refusals:
            fitted = min(fitted, limit // 2)
        shortest = shortest_completion(self.window)
        if self.window is None and fitted < shortest < limit:
            return shortest
        return fitted if fitted >= shortest else None


def shortest_completion(window: int | None) -> int:
    """Return the tokens that a completion needs at least, in a context window of this size."""
    return SHORTEST_COMPLETION if window is None else max(1, min(SHORTEST_COMPLETION, window // 8))


def fitted_limit(limit: int, window: int, estimate: int) -> int:
    """Return the limit of a completion that fits into the window next to a prompt of about this many tokens.

    If nothing fits, it is small rather than none: the estimate may be wrong, and the host counts.
    """
    room = window - estimate - estimate // ESTIMATE_MARGIN - FRAMING
    return min(limit, max(room, shortest_completion(window)))


def _first(patterns: list[str], text: str) -> int | None:
    matches = (found for pattern in patterns if (found := re.search(pattern, text, re.DOTALL)))
    return next((int(found[found.lastindex or 0]) for found in matches), None)
