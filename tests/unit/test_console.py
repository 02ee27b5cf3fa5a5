"""Tables in a terminal and in a pipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper.console import _program, table, typed_command, with_typed_commands


def test_rows_are_complete_without_a_terminal() -> None:
    rows = [("a", "x" * 200), ("longer", "y")]
    assert str(table(("name", "what"), rows)).splitlines() == [f"a       {'x' * 200}", "longer  y"]


@pytest.mark.parametrize(
    ("script", "typed"),
    [
        (".venv/bin/watchkeeper", ".venv/bin/watchkeeper list"),
        ("watchkeeper", "./watchkeeper list"),
        ("/elsewhere/my tools/watchkeeper", "'/elsewhere/my tools/watchkeeper' list"),
        ("on the PATH", "watchkeeper list"),
        ("watchkeeper/cli/main.py", "watchkeeper list"),
    ],
)
def test_commands_are_printed_as_they_can_be_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, typed: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if script == "on the PATH":
        program = tmp_path / "bin" / "watchkeeper"
        program.parent.mkdir()
        program.touch(mode=0o755)
        monkeypatch.setenv("PATH", str(program.parent))
        script = str(program)
    else:
        monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.argv", [script])
    _program.cache_clear()
    try:
        assert typed_command("list") == typed
        assert with_typed_commands("see `watchkeeper list`") == f"see `{typed}`"
    finally:
        _program.cache_clear()
