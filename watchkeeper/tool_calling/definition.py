"""The definition of a tool: an arguments model and a function marked ``@tool``, in one file.

The model, the workflow and the worker know a tool only by the arguments of the decorator and the docstring of the
function. A running tool gets everything it may use in its ``ToolContext``.
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
from watchkeeper.contracts import Effect, Incident, ToolRequest, ToolSpec, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import ERROR_BYTES, excerpt, same_arguments
from watchkeeper.tool_calling import json_schema
from watchkeeper.tool_calling.reserved_names import RESERVED

DEFAULT_RESULT_BYTES = 65_536
"""Largest result that the model receives, in bytes, unless the tool sets another size."""

MIN_RESULT_BYTES = 1_024
"""Smallest allowed ``max_bytes``: room to say that a result was cut, and how to narrow the question."""

KEY_LENGTH = 200
"""Longest idempotency key, in characters. PagerDuty accepts 255."""

MAX_RESULT_BYTES = 350_000
"""Largest allowed ``max_bytes``. A round may have 32 results, each recorded as a JSON string, which may double its
size, and Temporal terminates a run whose history reaches 50 MiB."""


class ToolError(Exception):
    """A refusal that the model reads and that a retry would not change."""

    def __init__(self, text: str) -> None:
        super().__init__(excerpt(text, ERROR_BYTES))


class ToolUnavailable(Exception):
    """The back end cannot answer now. The attempt is retried with the tool's retry policy."""

    def __init__(self, text: str, delay: timedelta | None = None) -> None:
        super().__init__(excerpt(text, ERROR_BYTES))
        self.delay = delay
        """The wait that the back end asked for."""


class ToolDefinitionError(Exception):
    """A tool cannot be used. The text names the tool and says what to do."""


class Arguments(BaseModel):
    """Base class of a tool's arguments. Unknown fields and infinite numbers are refused."""

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
"""Name of a service in the operator's service catalogue."""

Team = Annotated[
    str,
    AfterValidator(_catalogue_check("team")),
    WithJsonSchema({"type": "string", json_schema.CATALOGUE_KEY: "team"}),
]
"""Name of a team in the operator's settings."""


class ToolCall(ToolRequest):
    """A tool call: the run, the call key and the arguments."""

    key: str = Field(description="Call key, such as r3.0: round 3, first call. Not the model's id.")
    workflow_id: str | None = Field(default=None, description="Id of the run, as `watchkeeper show` takes it.")


@dataclass(frozen=True)
class ToolContext:
    """Everything that a tool may use while it runs."""

    call: ToolCall
    """The call as recorded."""
    at: datetime
    """When the call was scheduled. All attempts have the same time, so a retry asks the same question."""
    attempt: int
    """Counted from 1."""
    idempotency_key: str
    """The same in every attempt, and after a reset of the run to the same call; at most 200 characters."""
    settings: Settings
    http: AsyncClient
    """Shared by the process. It has timeouts and follows no redirects."""

    @property
    def incident(self) -> Incident | None:
        """What a page says first. Only for a tool with ``pages=True``, in a run that has rules for pages."""
        return self.call.incident


A = TypeVar("A", bound=BaseModel)
ToolFunction = Callable[[A, ToolContext], Awaitable[Any]]


@dataclass(frozen=True)
class Tool(Generic[A]):
    """A function that the model can call, with its description, effect, timeout and retries."""

    name: str
    description: str
    arguments: type[A]
    function: ToolFunction[A]
    effect: Effect
    timeout: timedelta
    attempts: int
    key: tuple[str, ...]
    """Arguments that identify the effect within the incident; empty: each call is a separate effect."""
    approval: bool
    max_bytes: int = field(default=DEFAULT_RESULT_BYTES)
    pages: bool = False
    """It wakes a person: the rules for pages apply."""

    async def __call__(self, args: A, context: ToolContext) -> Any:
        """Call the function."""
        return await self.function(args, context)

    def spec(self, settings: Settings) -> ToolSpec:
        """Return the tool's specification for these settings. Raises ToolDefinitionError."""
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
        return spec.model_copy(update={"pages": True}) if self.pages else spec

    def idempotency_key(self, call: ToolCall, args: A) -> str:
        """Return the idempotency key of a call: for the incident if the tool has ``key``, otherwise for this call.

        The digest of the arguments distinguishes a call from an earlier one with the same call key, before a reset.
        """
        if self.key:
            return effect_key(call.run, self.name, [getattr(args, name) for name in self.key])
        decided = digest_of(canonical_json([self.name, same_arguments(call.arguments)]))
        return f"{call.run}/{call.key}/{decided}"


def effect_key(run: str, tool: str, values: Iterable[object]) -> str:
    """Return the idempotency key of an effect within a run.

    Args:
        run: First execution run id.
        tool: Name of the tool.
        values: The arguments that distinguish this effect from others of the same tool.
    """
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
    pages: bool = False,
) -> Callable[[ToolFunction[A]], Tool[A]]:
    """Define a tool from an ``async def NAME(args: Arguments, context: ToolContext)``; its docstring describes it.

    Args:
        effect: ``read``: the tool changes nothing and may run again. ``keyed``: it writes to a target that honours
            ``context.idempotency_key``, so it may run again. ``once``: it writes without a key and runs once.
        timeout: Time limit of one attempt.
        attempts: After how many attempts a failure is final; 4 by default, and always 1 for ``once``.
        key: Names of arguments. The idempotency key then covers the incident and these arguments, not one call.
        approval: Whether a person must approve each call.
        max_bytes: Largest result that the model receives.
        pages: Whether a call wakes a person, so that the rules for pages apply (docs/pages.md).

    Raises:
        ToolDefinitionError: The function cannot be a tool; the text says why.
    """

    def make(function: ToolFunction[A]) -> Tool[A]:
        name = getattr(function, "__name__", repr(function))

        def refuse(why: str) -> ToolDefinitionError:
            return ToolDefinitionError(f"tool {name!r}: {why}")

        if not json_schema.TOOL_NAME.match(name) or name in RESERVED:
            raise refuse(f"choose a name in snake_case that is not one of {', '.join(sorted(RESERVED))}")
        if not inspect.iscoroutinefunction(function):
            raise refuse("it must be an `async def`")
        if not (description := inspect.getdoc(function)):
            raise refuse("it has no docstring; the model reads it, so write what the tool does and when to use it")
        arguments = _arguments_of(function)
        if arguments is None:
            raise refuse("its first parameter must be annotated with a class derived from Arguments")
        if unknown := [part for part in key if part not in arguments.model_fields]:
            raise refuse(f"key names {unknown}, which are not fields of {arguments.__name__}")
        if problem := _option_problem(effect, timeout, attempts, max_bytes, pages=pages):
            raise refuse(problem)
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
            pages=pages,
        )

    return make


def _option_problem(
    effect: Effect, timeout: timedelta, attempts: int | None, max_bytes: int, *, pages: bool
) -> str | None:
    if pages and effect == "read":
        return 'pages=True is not a read: set effect="keyed" or effect="once"'
    if effect == "once" and attempts not in (None, 1):
        return 'effect="once" allows only one attempt'
    if attempts is not None and attempts < 1:
        return f"attempts={attempts} would never run it; set 1 or more"
    if timeout <= timedelta():
        return f"timeout={timeout} leaves no time to run; set more than zero"
    if not MIN_RESULT_BYTES <= max_bytes <= MAX_RESULT_BYTES:
        return f"max_bytes={max_bytes}: set {MIN_RESULT_BYTES:,} to {MAX_RESULT_BYTES:,}"
    return None


def _arguments_of(function: Callable[..., Any]) -> type[Any] | None:
    first = next(iter(inspect.signature(function).parameters), "")
    try:
        arguments = get_type_hints(function).get(first)
    except NameError as error:
        raise ToolDefinitionError(
            f"tool {function.__name__!r}: an annotation cannot be read ({error}); import the type where it runs"
        ) from error
    return arguments if inspect.isclass(arguments) and issubclass(arguments, Arguments) else None
