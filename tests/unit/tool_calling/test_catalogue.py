from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.tool_calling.catalogue import build_catalogue, catalogue_digest, discover_tools, encode_tools
from watchkeeper.tool_calling.definition import (
    Arguments,
    Service,
    ToolContext,
    ToolDefinitionError,
    tool,
)


class Note(Arguments):
    service: Service
    text: str = Field(description="Text.")


@tool(effect="once", timeout=timedelta(seconds=5))
async def add_note(args: Note, context: ToolContext) -> None:
    """Write a note.

    Use it for notes.
    """


def settings(**tables: Any) -> Settings:
    return build_settings(**{"services": {"checkout": {"team": "shop"}}, **tables})


def test_approval_of_an_unknown_tool_is_refused() -> None:
    with pytest.raises(ToolDefinitionError, match=r"approval\.tools names unknown tools: addnote; available: add_note"):
        build_catalogue({"add_note": add_note}, settings(approval={"tools": ["addnote"]}))


def test_encoded_tools_contain_only_what_the_model_needs() -> None:
    plain = build_catalogue({"add_note": add_note}, settings())
    approved = build_catalogue({"add_note": add_note}, settings(approval={"tools": ["add_note"]}))
    other = build_catalogue({"add_note": add_note}, settings(services={"search": {"team": "shop"}}))
    assert encode_tools(plain) == encode_tools(approved)
    assert catalogue_digest(plain) == catalogue_digest(approved) != catalogue_digest(other)
    assert encode_tools(plain).startswith(
        b'[{"type":"function","function":{"name":"add_note","description":"Write a note.'
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    name = f"pack_{tmp_path.name}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(**files: str) -> str:
        for file, text in files.items():
            (tmp_path / name / f"{file}.py").write_text(text)
        return name

    yield write
    for module in [module for module in sys.modules if module.startswith(name)]:
        del sys.modules[module]


ONE = """
from watchkeeper.tool import Arguments, ToolContext, tool

class A(Arguments): pass

@tool(effect="read")
async def {name}(args: A, context: ToolContext) -> None:
    "Do."
"""


def test_the_tools_of_a_package_are_found(package: Callable[..., str]) -> None:
    home = package(b=ONE.format(name="second"), a=ONE.format(name="third"), _shared="x = 1")
    package(c=f"from {home}.b import second\n" + ONE.format(name="first"))
    assert list(discover_tools(home)) == ["first", "second", "third"]
    assert list(discover_tools()) == ["get_deploys", "get_service_health", "page_engineer", "search_logs"]


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"a": ONE.format(name="same"), "b": ONE.format(name="same")}, r"two tools are named 'same'; .* b\.py"),
        ({"a": "x = 1"}, r"a\.py has no tool; .* _a\.py"),
        ({"a": "import nowhere_at_all"}, r"\.a cannot be imported: No module named 'nowhere_at_all'"),
        ({"a": "def"}, r"\.a cannot be imported"),
        ({"a": ONE.format(name="Bad")}, "tool 'Bad'"),
    ],
)
def test_files_that_cannot_be_used(package: Callable[..., str], files: dict[str, str], why: str) -> None:
    with pytest.raises(ToolDefinitionError, match=why):
        discover_tools(package(**files))
