"""``watchkeeper.testing`` exports the test kit and imports nothing before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from watchkeeper import testing


@pytest.mark.parametrize("name", testing.__all__)
def test_every_exported_name_exists(name: str) -> None:
    assert getattr(testing, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"module 'watchkeeper\.testing' has no attribute 'nothing'"):
        _ = testing.nothing


@pytest.mark.parametrize(
    ("statement", "unused"),
    [
        ("import watchkeeper.testing", "pytest starlette uvicorn temporalio workflows"),
        ("from watchkeeper.testing import says, calls, faults", "pytest temporalio workflows worker"),
        ("from watchkeeper.testing import ScriptedModel", "pytest temporalio workflows worker"),
        ("from watchkeeper.testing import run_agent", "pytest workflows worker"),
        ("from watchkeeper.testing import assert_replays", "pytest starlette uvicorn worker"),
    ],
)
def test_an_import_loads_only_its_own_module(statement: str, unused: str) -> None:
    check = f"{statement}; import sys; print(*sorted({set(unused.split())!r} & sys.modules.keys()))"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []


def test_the_kit_does_not_import_the_demo() -> None:
    check = "from watchkeeper.testing import *; import sys; print(*[m for m in sys.modules if 'demo' in m.split('.')])"
    ended = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
