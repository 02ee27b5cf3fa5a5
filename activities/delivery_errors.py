"""Turns delivery errors into ApplicationErrors that Temporal retries or does not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.config.settings import Settings
from watchkeeper.temporal.activity_options import backoff
from watchkeeper.text import error_text
from watchkeeper.tool import ToolError, ToolUnavailable


@contextmanager
def as_application_error(what: Literal["Report", "Announcement"], settings: Settings) -> Iterator[None]:
    """Raise ``ReportRefused`` for a permanent error, ``ReportUndelivered`` for a temporary one."""
    try:
        yield
    except ToolError as error:
        message = settings.redactor.text(str(error))
        raise ApplicationError(message, type=f"{what}Refused", non_retryable=True) from None
    except (OSError, ToolUnavailable) as error:
        message = settings.redactor.text(error_text(error))
        requested = error.delay if isinstance(error, ToolUnavailable) else None
        delay = max(requested or timedelta(), backoff(activity.info().attempt))
        raise ApplicationError(message, type=f"{what}Undelivered", next_retry_delay=delay) from None
