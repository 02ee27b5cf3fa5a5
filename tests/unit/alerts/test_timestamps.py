from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.alerts.timestamps import parse_timestamp

MICROS = 1_795_345_829_745_123


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-11-22T11:10:29.745123Z", MICROS),
        ("2026-11-22T11:10:29.745123987Z", MICROS),
        ("2026-11-22T12:10:29.745123+01:00", MICROS),
        ("2026-11-22T11:10:29.745123", MICROS),
        (" 2026-11-22 11:10:29.745123 ", MICROS),
        ("2019-02-15T23:53:45.093+0000", 1_550_274_825_093_000),
        ("1795345829", MICROS // 10**6 * 10**6),
        (1795345829, MICROS // 10**6 * 10**6),
        (1795345829745, MICROS // 1_000 * 1_000),
        (1795345829745123, MICROS),
        (1795345829745123000, MICROS),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        (0, None),
        (-1, None),
        ("", None),
        (None, None),
    ],
)
def test_valid_timestamps(written: object, micros: int | None) -> None:
    assert parse_timestamp(written) == micros


@pytest.mark.parametrize(
    "written", ["noon", True, [], {}, "nan", float("nan"), float("inf"), "1e300", 10**400, "٣", "²"]
)
def test_invalid_timestamps(written: object) -> None:
    try:
        read = parse_timestamp(written)
    except ValueError as error:
        assert str(error) == "should be a time in ISO 8601 or Unix seconds"
    else:
        assert written == "٣"
        assert read == 3_000_000


@given(st.text() | st.floats() | st.integers() | st.dates().map(str) | st.datetimes().map(str))
def test_any_value_is_a_timestamp_or_a_value_error(written: object) -> None:
    try:
        read = parse_timestamp(written)
    except ValueError:
        return
    assert read is None or 0 < read < 2**63
