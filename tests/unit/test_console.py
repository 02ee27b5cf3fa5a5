"""Values in few characters, and texts that no terminal obeys."""

from __future__ import annotations

import pytest

from watchkeeper.console import arguments, count, duration, one_line, size, table, visible


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


@pytest.mark.parametrize(("amount", "said"), [(0, "0 B"), (999, "999 B"), (1_900, "1.9 kB"), (3_140_000, "3.1 MB")])
def test_sizes(amount: int, said: str) -> None:
    assert size(amount) == said


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
    assert arguments(text) == said


def test_a_line_is_one_line_of_its_width() -> None:
    assert one_line("two\nlines  and\tmore", 40) == "two lines and more"
    assert one_line("too long", 5) == "too …"


def test_what_a_terminal_obeys_is_replaced() -> None:
    assert visible("a\x1b[31mb\u202ec\x9bd\x7f\te\n") == "a\ufffd[31mb\ufffdc\ufffdd\ufffd\te\n"


def test_rows_are_whole_where_there_is_no_terminal() -> None:
    rows = [("a", "x" * 200), ("longer", "y")]
    assert str(table(("name", "what"), rows)).splitlines() == [f"a       {'x' * 200}", "longer  y"]
