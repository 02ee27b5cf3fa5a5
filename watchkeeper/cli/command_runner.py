"""How every command runs: its coroutine, its exit code, and the one place that turns an error into a sentence."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError
from rich.text import Text
from temporalio.client import Client
from temporalio.runtime import LoggingConfig, MetricBuffer, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.cli.main import INTERRUPTED
from watchkeeper.config.settings import Settings, SettingsError, load_settings
from watchkeeper.console import err, with_typed_commands
from watchkeeper.contracts import LimitChanges, RunStatus
from watchkeeper.redaction import public_address
from watchkeeper.run_view.model import RunView
from watchkeeper.runs.client import NoSuchRun
from watchkeeper.runs.update_client import UpdateRejected
from watchkeeper.temporal.client import TemporalError, connect
from watchkeeper.temporal.dev_server import DevServerError
from watchkeeper.text import excerpt, visible

EXIT_CODES: dict[RunStatus, int] = {"running": 0, "concluded": 0, "limit_reached": 3, "failed": 4, "stopped": 5}
"""Exit codes of ``run`` and ``watch``."""

UNDELIVERED = 6
"""Exit code of ``run`` and ``watch``: the run concluded, and a destination did not receive its report."""

ERROR, USAGE = 1, 2
"""Exit codes: the command failed; the command was called wrongly."""

SECONDS_PER_UNIT = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}

_VALUES = {"cost": r"(\d{1,15}(?:\.\d{1,15})?|\.\d{1,15})()", "duration": r"(\d{1,15})([smhd]?)"}


def exit_code(view: RunView) -> int:
    """Return the exit code of a command that has followed a run."""
    is_late = view.undelivered or (view.is_delivering and not view.is_open)
    return UNDELIVERED if view.status == "concluded" and is_late else EXIT_CODES[view.status]


class UsageError(Exception):
    """An argument of a command is wrong. The text names it and says what is possible."""


@dataclass(frozen=True)
class GlobalOptions:
    """The options before the command."""

    config: Path | None = None

    def settings(self) -> Settings:
        """Read the settings. Raises SettingsError."""
        return load_settings(self.config)


def context_settings(context: typer.Context) -> Settings:
    """Read the settings that the global options name. Raises SettingsError."""
    options = context.obj
    return options.settings() if isinstance(options, GlobalOptions) else load_settings()


_EXPECTED = (SettingsError, TemporalError, DevServerError, NoSuchRun, UpdateRejected, RPCError, UsageError)


def run_command(
    work: Coroutine[Any, Any, int | None],
    *expected: type[Exception],
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run a command's coroutine, which returns the exit code or None, and print an expected error as one sentence.

    ``expected`` are errors that only this command expects. ``loop`` creates another event loop than Python's.
    """
    known: tuple[type[Exception], ...] = (*_EXPECTED, *expected)
    exit_at_once = signal.getsignal(signal.SIGINT)
    try:
        # With this handler set, the runner cancels the coroutine on Ctrl-C.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(work)
    except KeyboardInterrupt:
        work.close()
        raise typer.Exit(INTERRUPTED) from None
    except known as error:
        print_error(error_message(error))
        raise typer.Exit(USAGE if isinstance(error, UsageError) else ERROR) from None
    finally:
        signal.signal(signal.SIGINT, exit_at_once)
    if code:
        raise typer.Exit(code)


def print_error(text: str) -> None:
    """Print an error on stderr."""
    text = visible(with_typed_commands(public_address(text)))
    err.print(Text.assemble(("watchkeeper: ", "bold red"), text), soft_wrap=True)


def error_message(error: Exception) -> str:
    """Describe an error, and what to do about it."""
    if not isinstance(error, RPCError):
        return str(error)
    reason = excerpt(error.message, 500)
    if error.status == RPCStatusCode.UNAVAILABLE:
        return f"Temporal is out of reach ({reason}); is it running, and is TEMPORAL_ADDRESS right?"
    return f"Temporal refused: {reason} ({error.status.name}); check TEMPORAL_NAMESPACE and your permissions"


async def connect_client() -> Client:
    """Connect to Temporal as its own environment variables say. Raises TemporalError."""
    silence_sdk_log()
    return await connect()


def silence_sdk_log(metrics: MetricBuffer | None = None) -> None:
    """Keep the SDK's core from logging to the terminal: the commands print what matters.

    The core's measurements go to ``metrics``.
    """
    logging = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    telemetry = TelemetryConfig(logging=logging, metrics=metrics, attach_service_name=False)
    Runtime.set_default(Runtime(telemetry=telemetry))


def current_user() -> str:
    """Return the name of the system's user; empty if the system has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return os.environ.get("USER", "")


def parse_limits(texts: list[str], example: str = "rounds=5") -> LimitChanges | None:
    """Read limits such as ``rounds=5``, ``duration=90s``, ``cost=0.5``. Raises UsageError."""
    values: dict[str, int | float] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in LimitChanges.model_fields:
            known = ", ".join(LimitChanges.model_fields)
            raise UsageError(f"no limit {text!r}; write NAME=VALUE, such as {example}; the names are {known}")
        if name in values:
            raise UsageError(f"the limit {name!r} is given twice")
        values[name] = _number(name, value)
    if not values:
        return None
    try:
        return LimitChanges.model_validate(values)
    except ValidationError as error:
        (problem, *_) = error.errors()
        maximum = problem.get("ctx", {}).get("le")
        must = f"at most {maximum:,}" if maximum is not None else "above 0 and finite"
        name = str(problem["loc"][0])
        typed = next(text for text in texts if text.startswith(f"{name}="))
        raise UsageError(f"{excerpt(typed, 60)}: the value must be {must}") from error


def _number(name: str, value: str) -> int | float:
    match = re.fullmatch(_VALUES.get(name, r"(\d[\d_]{0,20})()"), value)
    if match is None:
        shapes = {"cost": "US dollars above 0, such as 0.5", "duration": "a time above 0, such as 90s, 30m or 2h"}
        raise UsageError(f"{name}={excerpt(value, 60)}: the value must be {shapes.get(name, 'a whole number above 0')}")
    number, unit = match.groups()
    return float(number) if name == "cost" else int(number) * SECONDS_PER_UNIT[unit]
