"""The example in ``docs/testing.md`` is a test that passes, and the page names the complete test kit."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.paths import DOCS
from tests.support.program import Program
from watchkeeper import testing

PAGE = (DOCS / "testing.md").read_text()


async def test_the_example_passes(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "test_queue.py").write_text(example)
    program = Program(tmp_path, {})
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto"]
    ended = await program.python("-m", "pytest", *options, "test_queue.py")
    assert (ended.code, "1 passed" in ended.out) == (0, True), ended.out


def test_the_table_names_the_complete_test_kit() -> None:
    types = {name for name in testing.__all__ if name[0].isupper()} - {"ScriptedModel", "FakeServer"}
    assert {name for name in testing.__all__ if f"`{name}" not in PAGE} <= types
