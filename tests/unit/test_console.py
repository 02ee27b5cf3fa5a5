"""Tables in a terminal and in a pipe."""

from __future__ import annotations

from watchkeeper.console import table


def test_rows_are_whole_where_there_is_no_terminal() -> None:
    rows = [("a", "x" * 200), ("longer", "y")]
    assert str(table(("name", "what"), rows)).splitlines() == [f"a       {'x' * 200}", "longer  y"]
