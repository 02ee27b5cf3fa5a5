"""Arguments of signals. Anyone with access to Temporal can send a signal by hand, without an argument or with any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Contract

C = TypeVar("C", bound=Contract)


def first_argument(arguments: Sequence[object]) -> object:
    """Return the first argument of a signal; None if it has none. Further arguments are ignored."""
    return arguments[0] if arguments else None


def read_argument(arguments: Sequence[object], kind: type[C]) -> C | None:
    """Return the argument of a signal as a contract; None if it is not one."""
    try:
        return kind.model_validate(first_argument(arguments))
    except ValueError:
        return None


def log_ignored(signal: str) -> None:
    """Log that a malformed signal was ignored: it must not end the workflow."""
    workflow.logger.warning("ignored a signal %r: its argument is not what the signal takes", signal)
