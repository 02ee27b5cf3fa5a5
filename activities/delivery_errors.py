"""What could not be delivered, told to Temporal: never to be tried again, or later."""

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
def delivery_errors(what: Literal["Report", "Announcement"], settings: Settings) -> Iterator[None]:
    """Fail with ``ReportRefused`` for a definite no, with ``ReportUndelivered`` for one of now."""
    try:
        yield
    except ToolError as error:
        said = settings.redactor.text(str(error))
        raise ApplicationError(said, type=f"{what}Refused", non_retryable=True) from None
    except (OSError, ToolUnavailable) as error:
        said = settings.redactor.text(error_text(error))
        asked = error.delay if isinstance(error, ToolUnavailable) else None
        delay = max(asked or timedelta(), backoff(activity.info().attempt))
        raise ApplicationError(said, type=f"{what}Undelivered", next_retry_delay=delay) from None
