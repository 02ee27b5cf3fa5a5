"""The map of the packages in ``CONTRIBUTING.md``, made of their docstrings: ``python -m tests.support.package_map``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- map: begin -->\n", "<!-- map: end -->\n"


def rows() -> Iterator[str]:
    """Yield a row for each package and for the modules in the root of the library."""
    packages = [ROOT / name for name in ("workflows", "activities", "watchkeeper")]
    files = [file for package in packages for file in sorted(package.rglob("__init__.py"))]
    for file in [ROOT / "worker.py", *files, *sorted((ROOT / "watchkeeper").glob("[!_]*.py"))]:
        name = file.parent if file.name == "__init__.py" else file
        suffix = "/" if file.name == "__init__.py" else ""
        yield f"| `{name.relative_to(ROOT)}{suffix}` | {summary(file)} |"


def summary(file: Path) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(file.read_text()))
    assert docstring, f"{file} has no docstring"
    return docstring.partition("\n")[0].replace("``", "`")


def page() -> str:
    """Return ``CONTRIBUTING.md`` with the map of today."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join(["| place | what is there |", "|---|---|", *rows()])
    return f"{before}{BEGIN}{table}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page())
