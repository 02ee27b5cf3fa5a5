from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from httpx2 import Headers
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.http.retry import MAX_RETRY_DELAY, retry_delay, retryable


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529, 599])
def test_retryable_statuses(status: int) -> None:
    assert retryable(status)


@pytest.mark.parametrize("status", [301, 400, 401, 402, 403, 404, 405, 410, 413, 422, 451])
def test_other_statuses_are_not_retried(status: int) -> None:
    assert not retryable(status)


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_x_should_retry_overrides_the_status(status: int) -> None:
    assert retryable(status, Headers({"X-Should-Retry": "true"}))
    assert not retryable(status, Headers({"X-Should-Retry": "false"}))
    assert retryable(status, Headers({"X-Should-Retry": "maybe"})) == retryable(status)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 2 "}, 2),
        ({"retry-after": "1e9"}, 600),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
    ],
)
def test_retry_delays(headers: dict[str, str], seconds: float) -> None:
    assert retry_delay(Headers(headers)) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", "nan", "inf", "-inf", "-1", "soon", "1,5", "0x10"),
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 +99999999999999",
    ],
)
def test_an_invalid_delay_is_ignored(text: str) -> None:
    assert retry_delay({"retry-after": text}) is None
    assert retry_delay({"retry-after-ms": text}) is None


def test_no_header() -> None:
    assert retry_delay({}) is None


@pytest.mark.parametrize("form", ["GMT", "-0000"])
def test_an_http_date(form: str) -> None:
    when = datetime.now(UTC) + timedelta(seconds=100)
    text = format_datetime(when, usegmt=True).replace("GMT", form)
    delay = retry_delay({"retry-after": text})
    assert delay is not None and timedelta(seconds=95) < delay <= timedelta(seconds=100)


def test_a_date_in_the_past_means_now() -> None:
    assert retry_delay({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == timedelta()


@given(st.text() | st.floats().map(str) | st.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ \S+"))
def test_any_delay_is_within_the_limit(text: str) -> None:
    delay = retry_delay({"retry-after": text, "retry-after-ms": text})
    assert delay is None or timedelta() <= delay <= MAX_RETRY_DELAY
