"""Text that can be recorded, and values in few characters."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.text import (
    ERROR_BYTES,
    arguments_text,
    cap,
    clean,
    clean_json,
    count,
    duration,
    error_text,
    excerpt,
    money,
    one_line,
    rough_duration,
    size,
    time_span,
    visible,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Lone surrogates among it."""


@given(ANY_TEXT)
def test_a_clean_text_can_be_sent_and_stored(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) == len(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned


def test_encodable_text_is_unchanged() -> None:
    assert clean("é 漢 😀 \n\t\x07 \ufffe") == "é 漢 😀 \n\t\x07 \ufffe"


@given(st.recursive(ANY_TEXT | st.floats() | st.none(), lambda v: st.lists(v) | st.dictionaries(ANY_TEXT, v)))
def test_a_clean_json_value_can_be_encoded(value: object) -> None:
    json.dumps(clean_json(value), ensure_ascii=False, allow_nan=False).encode()


def test_clean_json_keeps_valid_values() -> None:
    value = {"a": [1, 2.5, True, None, "x"], "1": {"b": []}}
    assert clean_json(value) == value
    assert clean_json([math.nan, math.inf, {"\0": (1,)}]) == ["nan", "inf", {"\ufffd": [1]}]


@given(st.text(), st.integers(0, 50))
def test_a_capped_text_is_the_beginning_and_small_enough(text: str, size: int) -> None:
    kept, cut = cap(text, size)
    assert text.startswith(kept)
    assert len(kept.encode()) <= size
    assert len(kept.encode()) + cut == len(text.encode())


@pytest.mark.parametrize(("size", "kept"), [(3, "a"), (4, "a"), (5, "a😀"), (6, "a😀b")])
def test_a_character_is_kept_whole_or_cut(size: int, kept: str) -> None:
    assert cap("a😀b", size) == (kept, 6 - len(kept.encode()))


def test_an_excerpt_says_how_much_is_missing() -> None:
    assert excerpt("abc", 3) == "abc"
    assert excerpt("a\ud800c", 10) == "a\ufffdc"
    assert excerpt("x" * 1003, 3) == "xxx… (+1000 bytes)"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no"), "ValueError: no"),
        (TimeoutError(), "TimeoutError"),
        (KeyError("\ud800"), r"KeyError: '\ud800'"),
    ],
)
def test_an_error_is_written_with_its_type(error: Exception, text: str) -> None:
    assert error_text(error) == text


def test_an_error_of_half_a_megabyte_is_cut() -> None:
    assert len(error_text(ValueError("x" * 500_000)).encode()) < ERROR_BYTES + 50


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0449, "45 ms"),
        (1.25, "1.2 s"),
        (59.9, "59.9 s"),
        (65, "1 min 05 s"),
        (3_599, "59 min 59 s"),
        (7_400, "2 h 03 min"),
    ],
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (0.5, "0.5 seconds"),
        (1, "1 second"),
        (90, "90 seconds"),
        (60, "1 minute"),
        (900, "15 minutes"),
        (7_200, "120 minutes"),
        (3_601, "3601 seconds"),
    ],
)
def test_a_time_span_is_written_exactly(seconds: float, said: str) -> None:
    assert time_span(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (40, "40 s"), (119, "119 s"), (300, "5 min"), (7_199, "120 min"), (10_800, "3 h")],
)
def test_a_rough_duration_has_one_unit(seconds: float, said: str) -> None:
    assert rough_duration(seconds) == said


@pytest.mark.parametrize(("amount", "said"), [(0, "0 B"), (999, "999 B"), (1_900, "1.9 kB"), (3_140_000, "3.1 MB")])
def test_sizes(amount: int, said: str) -> None:
    assert size(amount) == said


def test_money() -> None:
    assert [money(amount) for amount in (0.00421, 0.5, 0.031, 1_234.5)] == ["$0.0042", "$0.50", "$0.0310", "$1,234.50"]


def test_counts() -> None:
    assert (count(1, "round"), count(0, "round"), count(1_200, "token")) == ("1 round", "0 rounds", "1,200 tokens")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"service":"checkout","minutes":30}', "service=checkout minutes=30"),
        ('{"query":"a b","empty":"","deep":{"x":[1]}}', 'query="a b" empty="" deep={"x": [1]}'),
        ('{"half": ', '{"half": '),
        ("[1]", "[1]"),
        ("{}", ""),
    ],
)
def test_arguments(text: str, said: str) -> None:
    assert arguments_text(text) == said


def test_one_line_is_cut_to_its_width() -> None:
    assert one_line("two\nlines  and\tmore", 40) == "two lines and more"
    assert one_line("too long", 5) == "too …"


def test_control_characters_are_replaced() -> None:
    assert visible("a\x1b[31mb\u202ec\x9bd\x7f\te\n") == "a\ufffd[31mb\ufffdc\ufffdd\ufffd\te\n"
