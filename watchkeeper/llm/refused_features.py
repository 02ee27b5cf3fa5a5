"""Recognise in a refusal what a host does not accept of a request (pure)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from watchkeeper.config.host_presets import Feature
from watchkeeper.contracts import JsonObject
from watchkeeper.llm.host_dialect import CallIdPrefix, Lesson, MessageField
from watchkeeper.llm.host_messages import STRICT_CALL_ID, added_fields, needs_reasoning, needs_signature

_NEAR = 160
"""Characters between the name of a field and the phrase that refuses it. Some hosts repeat the whole request."""

_REFUSED = re.compile(
    r"not (?:permitted|supported|allowed|accepted|recogni[sz]ed|valid|a valid)|unsupported|unrecogni[sz]ed|unknown|"
    r"unexpected|extra_forbidden|extra (?:inputs|fields|keys)|additional properties|forbidden|deprecated|"
    r"(?:doesn't|does not|don't|do not) (?:support|accept|exist|recogni[sz]e)|"
    r"(?:no such|invalid) (?:field|parameter|argument|property|key)|"
    r"please remove the|cannot both be|only one of"
)
_DEMANDS_STREAM = re.compile(
    r"only supports? (?:the )?stream|stream\w*\W{0,2} (?:must|should|has to|needs to) be (?:set to )?\W?true|"
    r"set (?:the )?\W?stream\W?(?: parameter| option)? ?(?:=|to) ?\W?true|non-?stream\w*\W.{0,40}(?:not|n't) |"
    r"(?:not|n't) support\w* non-?stream|for non-?streaming|enable the \W?stream|"
    r"requires? (?:\W?stream\W? ?(?:=|to be) ?true|streaming)|streaming is required"
)
_FORBIDS_STREAM = re.compile(
    r"stream(?:ing|ed)\b.{0,40}(?:not|n't) (?:be )?(?:support|allow|permit|available|enabled)|verified to stream|"
    r"(?:not|n't) (?:support|allow|permit)\w*.{0,40}\bstream(?:ing|ed|s)?\b|without streaming"
)
_UNKNOWN_FIELD = re.compile(
    r"extra_forbidden|extra (?:inputs|fields)|additional properties|unknown field|unexpected field"
)


def refuses_field(said: str, field: str) -> bool:
    """Return whether a refusal, in lower case, says that a field is not known or not supported."""
    return any(
        _REFUSED.search(said[max(0, found.start() - _NEAR) : found.end() + _NEAR])
        for found in re.finditer(rf"(?<!\w){re.escape(field.lower())}(?!\w)", said)
    )


_PREFIX = re.compile(r"\bids?\b.{0,160}(?:begin|start)s?(?:ning|ing)? with [`'\"]?(\w{1,16})", re.DOTALL)
"""How OpenAI's Responses API, behind a gateway, demands the beginning of ids."""


_SCHEMA = re.compile(r"tools?\b|function_declarations|parameters|schema")


def refuses_schema_field(said: str) -> bool:
    """Return whether a refusal, in lower case, is about ``additionalProperties`` in the schema of a tool."""
    return refuses_field(said, "additionalProperties") and _SCHEMA.search(said) is not None


def demands_stream(said: str) -> bool:
    """Return whether a refusal, in lower case, says that the host only streams."""
    return _DEMANDS_STREAM.search(said) is not None


def forbids_stream(said: str) -> bool:
    """Return whether a refusal of a stream, in lower case, says that the host does not stream."""
    return _FORBIDS_STREAM.search(said) is not None


def refused_in_messages(said: str, messages: Sequence[JsonObject]) -> Lesson | None:
    """Return what a refusal, in lower case, does not accept of the messages that were sent; None if it says nothing."""
    if (demanded := _PREFIX.search(said)) and not _all_begin(messages, demanded[1]):
        return CallIdPrefix(demanded[1])
    for rule in _RULES:
        if rule.said.search(said) and rule.is_in(messages):
            return rule.feature
    fields = list(dict.fromkeys(name for message in messages for name in added_fields(message)))
    if (named := next((name for name in fields if refuses_field(said, name)), None)) is not None:
        return MessageField(named)
    return "added fields of messages" if fields and _UNKNOWN_FIELD.search(said) and "message" in said else None


class _Rule(NamedTuple):
    feature: Feature
    said: re.Pattern[str]
    is_in: Callable[[Sequence[JsonObject]], bool]
    """Whether the messages hold what the host refuses."""


def _roles_in_a_row(messages: Sequence[JsonObject]) -> bool:
    return any(second["role"] == "user" and first["role"] in ("tool", "user") for first, second in pairwise(messages))


def _all_begin(messages: Sequence[JsonObject], prefix: str) -> bool:
    return all(call["id"].startswith(prefix) for one in messages for call in one.get("tool_calls", ()))


def _call_ids(messages: Sequence[JsonObject]) -> bool:
    return any(not STRICT_CALL_ID.fullmatch(call["id"]) for one in messages for call in one.get("tool_calls", ()))


_RULES = (
    _Rule(
        "calls without reasoning_content",
        re.compile(r"reasoning_content.{0,80}(?:missing|required|must be)|missing.{0,40}reasoning_content"),
        lambda messages: any(map(needs_reasoning, messages)),
    ),
    _Rule(
        "calls without a thought_signature",
        re.compile(r"missing.{0,30}thought_?signature|thought_?signature.{0,60}(?:missing|required)"),
        lambda messages: any(map(needs_signature, messages)),
    ),
    _Rule(
        "a user message after a tool message",
        re.compile(
            r"invalid_request_message_order|role.{0,12}user.{0,24}after.{0,16}tool|user message.{0,40}after.{0,20}tool|"
            r"must alternate|alternat\w+ (?:between|user)|consecutive.{0,20}(?:user|role)|"
            r"tool message\w*.{0,20} must be followed by.{0,20}assistant|"
            r"\buser\W.{0,40}\b(?:follow|after)\w*\W{1,4}(?:an? |the )?\W?tool|"
            r"assistant\W.{0,12}\bafter\W.{0,12}tool\W.{0,20}user"
        ),
        _roles_in_a_row,
    ),
    _Rule(
        "call ids of other hosts",
        re.compile(
            r"invalid \W?tool_?call_?id|"
            r"(?:call|tool_use|tooluse)\w*(?:\W{1,4}\d+\W{0,4})?[._ ]?ids?\b.{0,160}"
            r"(?:pattern|must be (?:a-z|alphanumeric|at most|\d|between|shorter|no longer)|too long|maximum length|"
            r"alphanumeric|length of \d|characters|invalid format|only contain|contain only)",
            re.DOTALL,
        ),
        _call_ids,
    ),
    _Rule(
        "several calls in a message",
        re.compile(
            r"single tool.?calls? at once|only (?:supports? )?(?:one|a single|single) tool.?call|"
            r"(?:at most|more than|exactly) (?:one|1|a single) (?:tool|function).?call|"
            r"(?:multiple|parallel) tool.?calls? .{0,40}(?:not supported|unsupported|not allowed)|"
            r"(?:not|n't) (?:support|allow) (?:multiple|parallel) (?:tool|function).?calls?"
        ),
        lambda messages: any(len(message.get("tool_calls", ())) > 1 for message in messages),
    ),
    _Rule(
        "null content",
        re.compile(
            r"(?<!\w)content(?!\w).{0,100}(?:null|none|string|required|missing|nil|undefined)|"
            r"(?:null|none|missing|nil|undefined).{0,60}(?<!\w)content(?!\w)|must contain \W?content(?!\w)|"
            # Rust, whose errors name no field; Python's and llama.cpp's templates
            r"invalid type: null|untagged enum message|concatenate str.{0,12}nonetype|"
            r"nonetype\W{1,2}(?:has no len|object is not iterable)|is not (?:callable|iterable): null"
        ),
        lambda messages: any(message.get("content", "") is None for message in messages),
    ),
    _Rule(
        "empty content",
        re.compile(r"(?<!\w)content(?!\w).{0,60}(?:empty|blank|at least)|(?:empty|blank).{0,60}(?<!\w)content(?!\w)"),
        lambda messages: any(message.get("content") == "" for message in messages),
    ),
    _Rule(
        "a system message",
        re.compile(
            r"\bsystem.{0,20}(?:not|n't|never) (?:be )?(?:support|allow|permit|enabl)|unsupported.{0,20}\bsystem\b|"
            r"(?:not|n't) support\w* (?:an? |the )?\W?system\b|invalid role\W{1,3}system\b|"
            r"developer instruction is not enabled"
        ),
        lambda messages: bool(messages) and messages[0]["role"] == "system",
    ),
)
