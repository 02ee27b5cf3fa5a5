"""Normalise the tool calls of a reply, so that they can be sent back; a call that cannot run gets a problem text."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple, TypeGuard

from pydantic_core import from_json

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.extra_fields import is_shallow, unknown_fields
from watchkeeper.text import clean, excerpt

MAX_CALLS = 32
"""Calls of one reply that are kept. One observed reply had 14,408."""

MAX_ARGUMENT_BYTES = 65_536
"""Largest arguments of one call."""

UNKNOWN_TOOL = "unknown_tool"
"""Replaces a name that hosts would refuse in later requests."""

_VALID_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_MAX_ID = 256


class ReplyCalls(NamedTuple):
    """The calls of a reply."""

    calls: list[JsonObject]
    """The ``tool_calls`` of the message: ids are unique, names well-formed, arguments the text of a JSON object."""
    problems: dict[int, str]
    """For each call that cannot run, by position: a text for the model."""
    dropped: int
    """Number of calls over ``MAX_CALLS``, which were left out."""


class InvalidArguments(ValueError):
    """Arguments that are not one JSON object."""


def read_calls(entries: Sequence[object], tools: Set[str], *, cut: bool) -> ReplyCalls:
    """Normalise the calls of a reply. ``cut``: the host cut the reply at its token limit."""
    kept = [entry if isinstance(entry, dict) else {} for entry in entries[:MAX_CALLS]]
    calls: list[JsonObject] = []
    problems: dict[int, str] = {}
    for position, entry in enumerate(kept):
        function = entry["function"] if isinstance(entry.get("function"), dict) else entry
        name, problem = read_name(function.get("name"), tools)
        try:
            arguments = read_arguments(function.get("arguments"))
        except InvalidArguments as error:
            arguments, problem = "{}", problem or _argument_problem(name, error, cut=cut)
        if problem:
            problems[position] = problem
        calls.append(_normalised_call(entry, function, name, arguments))
    _assign_ids(calls, [entry.get("id") for entry in kept])
    return ReplyCalls(calls, problems, len(entries) - len(kept))


def read_name(raw: object, tools: Set[str]) -> tuple[str, str | None]:
    """Return the name to send back and, if no tool has it, a text for the model."""
    available = f"Available tools: {', '.join(sorted(tools)) or 'none'}."
    if not isinstance(raw, str) or not raw.strip():
        return UNKNOWN_TOOL, f"The call names no tool. {available}"
    name = raw.strip()
    if name not in tools:
        name = re.sub(r":[0-9]+$", "", name.removeprefix("functions."))
    if name in tools:
        return name, None
    valid = name if _VALID_NAME.fullmatch(name) else UNKNOWN_TOOL
    return valid, f"There is no tool {excerpt(raw, 100)!r}. {available}"


def read_arguments(raw: object) -> str:
    """Return arguments as the text of a JSON object; text that the model wrote is not changed.

    Missing arguments are an empty object, and an object that was encoded twice is decoded once. Nothing else is
    guessed: a tool must run with the arguments that the model wrote.

    Raises:
        InvalidArguments: They are not a JSON object, or one that cannot be sent back. The text is for the model.
    """
    match raw:
        case None:
            return "{}"
        case str():
            text = raw
        case dict() if is_shallow(raw):
            text = json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
        case dict():
            raise InvalidArguments("they are nested too deeply")
        case _:
            raise InvalidArguments(f"they are {_json_type(raw)}, not an object")
    if not text.strip():
        return "{}"
    if (size := len(text.encode(errors="replace"))) > MAX_ARGUMENT_BYTES:
        raise InvalidArguments(f"they take {size} bytes, and at most {MAX_ARGUMENT_BYTES} are accepted")
    parsed = _parse(text)
    if isinstance(parsed, str):
        text = parsed
        parsed = _parse(text)
    if not isinstance(parsed, dict):
        raise InvalidArguments(f"they are {_json_type(parsed)}, not an object: {excerpt(text, 100)}")
    return text


def _parse(text: str) -> object:
    """Parse JSON strictly. jiter refuses what later parsers cannot read: depth, very long numbers, surrogates, NaN."""
    if clean(text) != text:
        raise InvalidArguments("they contain a NUL or half of a surrogate pair, which cannot be sent")
    try:
        from_json(text, allow_inf_nan=False)
        parsed: object = json.loads(text, object_pairs_hook=_unique_keys, parse_float=_finite_number)
    except ValueError as error:
        raise InvalidArguments(f"{error}{_error_context(text, str(error))}") from None
    return parsed


def _unique_keys(pairs: list[tuple[str, Any]]) -> JsonObject:
    """Build an object. Refuses a key that occurs twice, because parsers differ on which value they use."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise InvalidArguments(f"the key {excerpt(twice, 100)!r} occurs more than once")
    return fields


def _finite_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise InvalidArguments(f"the number {excerpt(digits, 40)} is out of range")
    return number


def _error_context(text: str, error: str) -> str:
    """Quote the text around the position of a parser error."""
    position = re.search(r"line (\d+) column (\d+)$", error)
    if position is None:
        return ""
    line = "".join(text.split("\n")[int(position[1]) - 1 : int(position[1])]).encode()
    column = int(position[2])
    return f", near {line[max(0, column - 40) : column + 40].decode(errors='ignore')!r}"


def _json_type(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case _:
            return "an array"


def _argument_problem(name: str, error: InvalidArguments, *, cut: bool) -> str:
    if cut:
        problem = f"The reply was cut at the token limit, and with it the arguments of {name}: {error}."
        return clean(f"{problem} Call it again, with shorter arguments.")
    problem = f"The arguments of {name} cannot be read: {error}."
    return clean(f"{problem} Call it again, with one JSON object and nothing else as its arguments.")


def _assign_ids(calls: list[JsonObject], received: list[object]) -> None:
    """Keep each call's id if it is valid and unique; otherwise assign one in the form that K2 writes.

    After ids of any other form, self-hosted K2 writes calls that cannot be parsed.
    """
    taken = {call_id for call_id in received if _is_valid_id(call_id)}
    assigned = set[str]()
    for position, (call, call_id) in enumerate(zip(calls, received, strict=True)):
        if not _is_valid_id(call_id) or call_id in assigned:
            name = call["function"]["name"]
            numbered = (f"functions.{name}:{index}" for index in itertools.count(position))
            call_id = next(new for new in numbered if new not in taken)
            taken.add(call_id)
        assigned.add(call_id)
        call["id"] = call_id


def _is_valid_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and bool(value.strip()) and value.isprintable()


def _normalised_call(entry: Mapping[str, Any], function: Mapping[str, Any], name: str, arguments: str) -> JsonObject:
    """Return a call as it is sent back, with the fields that only its host knows."""
    call: JsonObject = {"id": None, "type": "function", "function": {"name": name, "arguments": arguments}}
    if function is not entry:
        call["function"] |= unknown_fields(function, {"name", "arguments"})
    return call | unknown_fields(entry, {"id", "type", "function", "name", "arguments"})
