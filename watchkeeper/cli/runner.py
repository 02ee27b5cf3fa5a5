"""Performing a command: its coroutine, its exit code, and the one place where an error becomes a sentence."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.text import Text
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, MetricBuffer, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.config.settings import Settings, SettingsError, load_settings
from watchkeeper.console import err
from watchkeeper.contracts import LimitChanges, RunStatus
from watchkeeper.runs.client import NoSuchRun
from watchkeeper.runs.updates import UpdateRejected
from watchkeeper.temporal.client import TemporalError, connect
from watchkeeper.temporal.dev_server import DevServerError
from watchkeeper.text import excerpt, visible

EXIT: dict[RunStatus, int] = {"running": 0, "concluded": 0, "limit_reached": 3, "failed": 4, "stopped": 5}
"""Exit codes of ``run`` and ``watch``."""

ERROR, MISUSE, INTERRUPTED = 1, 2, 130

UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Misuse(Exception):
    """A command was given something it cannot use; the text names it and the way out."""


@dataclass(frozen=True)
class Globals:
    """What stands before the command."""

    config: Path | None = None

    def settings(self) -> Settings:
        """Read the settings. Raises SettingsError."""
        return load_settings(self.config)


def settings_of(context: typer.Context) -> Settings:
    """Read the settings that a command is given. Raises SettingsError."""
    given = context.obj
    return given.settings() if isinstance(given, Globals) else load_settings()


_EXPECTED = (SettingsError, TemporalError, DevServerError, NoSuchRun, UpdateRejected, RPCError, Misuse)


def perform(
    work: Coroutine[Any, Any, int | None],
    *expected: type[Exception],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command to its exit code; an error that people can do something about becomes one sentence.

    ``expected`` adds to those that any command may meet; ``loop`` makes another event loop than Python's own.
    """
    known: tuple[type[Exception], ...] = (*_EXPECTED, *expected)
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except known as error:
        complain(sentence(error))
        raise typer.Exit(MISUSE if isinstance(error, Misuse) else ERROR) from None
    if code:
        raise typer.Exit(code)


def complain(text: str) -> None:
    """Say on stderr what went wrong."""
    err.print(Text.assemble(("watchkeeper: ", "bold red"), visible(text)), soft_wrap=True)


def sentence(error: Exception) -> str:
    """Return what a person needs to know of an error."""
    if not isinstance(error, RPCError):
        return str(error)
    what = excerpt(error.message, 500)
    if error.status == RPCStatusCode.UNAVAILABLE:
        return f"Temporal is out of reach ({what}); is it running, and is TEMPORAL_ADDRESS right?"
    way_out = "check TEMPORAL_NAMESPACE and your rights"
    return f"Temporal refused: {what} ({error.status.name}); {way_out}"


async def connected() -> Client:
    """Connect as Temporal's own environment says. Raises TemporalError."""
    quiet()
    return await connect()


def quiet(metrics: MetricBuffer | None = None) -> None:
    """Keep the SDK's core from writing to the terminal what we say ourselves, in its own words and colours.

    What it measures it puts into ``metrics``.
    """
    logged = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    told = TelemetryConfig(logging=logged, metrics=metrics, attach_service_name=False)
    Runtime.set_default(Runtime(telemetry=told))


def user() -> str:
    """Name the person who acts; empty where the system has no name for them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return os.environ.get("USER", "")


def limits(given: list[str], example: str = "rounds=5") -> LimitChanges | None:
    """Read limits such as ``rounds=5``, ``duration=90s``, ``cost=0.5``. Raises Misuse."""
    wanted: dict[str, int | float] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or name not in LimitChanges.model_fields:
            known = ", ".join(LimitChanges.model_fields)
            raise Misuse(f"no limit {text!r}; write NAME=VALUE, such as {example}; the names are {known}")
        if name in wanted:
            raise Misuse(f"the limit {name!r} is given twice")
        wanted[name] = _number(name, value)
    if not wanted:
        return None
    try:
        return LimitChanges.model_validate(wanted)
    except ValueError as error:
        raise Misuse(f"no such limit: {', '.join(given)}; every value must be above 0 and within reason") from error


def _number(name: str, value: str) -> int | float:
    pattern = {"cost": r"(\d+(?:\.\d+)?|\.\d+)()", "duration": r"(\d+)([smhd]?)"}.get(name, r"(\d[\d_]*)()")
    found = re.fullmatch(pattern, value)
    if found is None:
        shapes = {"cost": "US dollars above 0, such as 0.5", "duration": "a time above 0, such as 90s, 30m or 2h"}
        raise Misuse(f"{name}={value}: the value must be {shapes.get(name, 'a whole number above 0')}")
    number, unit = found.groups()
    return float(number) if name == "cost" else int(number) * UNITS[unit]
