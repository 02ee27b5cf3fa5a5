"""What a tool is: one file with an arguments model and a function marked ``@tool``.

The decorator's facts and the function's docstring are all that the model, the workflow and the worker know of a tool.
Everything a tool may use while it runs comes in its ``ToolContext``.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Generic, TypeVar, get_type_hints
from urllib.parse import quote

from httpx2 import AsyncClient
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, WithJsonSchema

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Effect, ToolRequest, ToolSpec, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import ERROR_BYTES, excerpt, same_arguments
from watchkeeper.tool_calling import json_schema
from watchkeeper.tool_calling.reserved_names import RESERVED

DEFAULT_RESULT_BYTES = 65_536
"""Most bytes of one result that the model is given, unless the tool says otherwise."""

MIN_RESULT_BYTES = 1_024
"""What is needed to say that a result was cut, and how to ask for less."""

KEY_LENGTH = 200
"""Longest idempotency key; PagerDuty takes 255 characters."""

MAX_RESULT_BYTES = 350_000
"""A round may have 32 results, each recorded as a JSON string, which may double it, and Temporal terminates a run whose
history takes 50 MiB."""


class ToolError(Exception):
    """An expected "no" that the model reads and that trying again would not change."""

    def __init__(self, text: str) -> None:
        super().__init__(excerpt(text, ERROR_BYTES))


class ToolUnavailable(Exception):
    """The back end cannot answer just now; the attempt is retried on the tool's policy."""

    def __init__(self, text: str, delay: timedelta | None = None) -> None:
        super().__init__(excerpt(text, ERROR_BYTES))
        self.delay = delay
        """How long the back end asked to wait."""


class ToolDefinitionError(Exception):
    """A tool file cannot be used; the text names the tool and the way out."""


class Arguments(BaseModel):
    """Base of a tool's arguments: closed, finite, and parsed from the model's own JSON text."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


def _catalogue_check(kind: str) -> Callable[[str, ValidationInfo], str]:
    def check(name: str, info: ValidationInfo) -> str:
        names = (info.context or {}).get(kind, ())
        if name in names:
            return name
        if not names:
            raise ValueError(f"the operator's catalogue names no {kind}")
        nearest = get_close_matches(name[:200], names, n=5, cutoff=0) or names[:5]
        raise ValueError(f"the catalogue has no such {kind}; the nearest of its {len(names)}: {', '.join(nearest)}")

    return check


Service = Annotated[
    str,
    AfterValidator(_catalogue_check("service")),
    WithJsonSchema({"type": "string", json_schema.CATALOGUE_KEY: "service"}),
]
"""A name in the operator's service catalogue."""

Team = Annotated[
    str,
    AfterValidator(_catalogue_check("team")),
    WithJsonSchema({"type": "string", json_schema.CATALOGUE_KEY: "team"}),
]
"""A team that the operator's catalogue names."""


class ToolCall(ToolRequest):
    """A call whole, as the tool is given it."""

    key: str = Field(description="Ours, such as r3.0: round 3, first call. Never the model's id.")


@dataclass(frozen=True)
class ToolContext:
    """What a tool may use while it runs."""

    call: ToolCall
    """The call as it is recorded."""
    at: datetime
    """When the call was decided: the same in every attempt, so that a retry asks the same question."""
    attempt: int
    idempotency_key: str
    """The same in every attempt and after a reset of the run to the same decision; at most 200 characters."""
    settings: Settings
    http: AsyncClient
    """Shared by the process; times out, follows no redirects."""


A = TypeVar("A", bound=BaseModel)
ToolFunction = Callable[[A, ToolContext], Awaitable[Any]]


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A function that the model can call, with what everybody needs to know about it."""

    name: str
    description: str
    arguments: type[A]
    function: ToolFunction[A]
    effect: Effect
    timeout: timedelta
    attempts: int
    key: tuple[str, ...]
    """Arguments that name the effect within the incident; empty: each call is an effect of its own."""
    approval: bool
    max_bytes: int = field(default=DEFAULT_RESULT_BYTES)

    async def __call__(self, args: A, context: ToolContext) -> Any:
        """Run the function."""
        return await self.function(args, context)

    def spec(self, settings: Settings) -> ToolSpec:
        """Describe the tool for one operator. Raises ToolDefinitionError."""
        try:
            parameters = json_schema.parameter_schema(self.arguments, settings.catalogue)
        except json_schema.SchemaError as error:
            raise ToolDefinitionError(f"tool {self.name!r}: {error}") from error
        spec = ToolSpec(
            name=self.name,
            description=self.description,
            parameters=parameters,
            effect=self.effect,
            timeout=self.timeout.total_seconds(),
            attempts=self.attempts,
        )
        if self.approval or self.name in settings.approval.tools:
            spec = spec.model_copy(update={"approval": settings.approval.timeout})
        return spec

    def idempotency_key(self, call: ToolCall, args: A) -> str:
        """Name the effect of a call: within its incident if the tool says so, else its own.

        The digest makes another decision under the same call key, after a reset, another effect.
        """
        if self.key:
            return effect_key(call.run, self.name, [getattr(args, name) for name in self.key])
        decided = digest_of(canonical_json([self.name, same_arguments(call.arguments)]))
        return f"{call.run}/{call.key}/{decided}"


def effect_key(run: str, tool: str, values: Iterable[object]) -> str:
    """Name an effect within its incident, by the values that tell it from others of the same tool."""
    named = "/".join(quote(str(value), safe="") for value in values)
    key = f"{run}/{tool}/{named}"
    return key if len(key) <= KEY_LENGTH else f"{run}/{tool}/{digest_of(named.encode())}"


def tool(
    *,
    effect: Effect,
    timeout: timedelta = timedelta(seconds=30),
    attempts: int | None = None,
    key: Sequence[str] = (),
    approval: bool = False,
    max_bytes: int = DEFAULT_RESULT_BYTES,
) -> Callable[[ToolFunction[A]], Tool[A]]:
    """Make a tool of an ``async def NAME(args: Arguments, context: ToolContext)``; its docstring is the description.

    Args:
        effect: What running it twice does. ``read``: nothing. ``keyed``: a write whose target honours
            ``context.idempotency_key``: nothing. ``once``: harm, so it is attempted once.
        timeout: Of one attempt.
        attempts: In all; 4 unless the effect is ``once``.
        key: Names of arguments; widens the idempotency key from the call to the incident and these.
        approval: Whether a person decides before it runs.
        max_bytes: Most bytes of its result that the model is given.

    Raises:
        ToolDefinitionError: The function does not make a tool; the text says why.
    """

    def make(function: ToolFunction[A]) -> Tool[A]:
        name = getattr(function, "__name__", repr(function))

        def refuse(why: str) -> ToolDefinitionError:
            return ToolDefinitionError(f"tool {name!r}: {why}")

        if not json_schema.TOOL_NAME.match(name) or name in RESERVED:
            raise refuse(f"choose a name in snake_case that is none of {', '.join(sorted(RESERVED))}")
        if not inspect.iscoroutinefunction(function):
            raise refuse("it must be an `async def`")
        if not (description := inspect.getdoc(function)):
            raise refuse("its docstring is what the model reads; write when to use it")
        arguments = _arguments_of(function)
        if arguments is None:
            raise refuse("its first parameter must be annotated with a class derived from Arguments")
        if unknown := [part for part in key if part not in arguments.model_fields]:
            raise refuse(f"key names {unknown}, which are not fields of {arguments.__name__}")
        if effect == "once" and attempts not in (None, 1):
            raise refuse("an effect that may happen once has one attempt")
        if attempts is not None and attempts < 1:
            raise refuse(f"attempts={attempts} would never run it; give 1 or more")
        if timeout <= timedelta():
            raise refuse(f"timeout={timeout} leaves no time to run; give more than nothing")
        if not MIN_RESULT_BYTES <= max_bytes <= MAX_RESULT_BYTES:
            raise refuse(f"max_bytes={max_bytes}: give {MIN_RESULT_BYTES:,} to {MAX_RESULT_BYTES:,}")
        return Tool(
            name=name,
            description=" ".join(description.split()),
            arguments=arguments,
            function=function,
            effect=effect,
            timeout=timeout,
            attempts=1 if effect == "once" else attempts or 4,
            key=tuple(key),
            approval=approval,
            max_bytes=max_bytes,
        )

    return make


def _arguments_of(function: Callable[..., Any]) -> type[Any] | None:
    first = next(iter(inspect.signature(function).parameters), "")
    try:
        arguments = get_type_hints(function).get(first)
    except NameError as error:
        raise ToolDefinitionError(
            f"tool {function.__name__!r}: an annotation cannot be read ({error}); import the type where it runs"
        ) from error
    return arguments if inspect.isclass(arguments) and issubclass(arguments, Arguments) else None
