"""The wheel is an application for an environment of its own: it holds what it needs, and owns its import names."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.paths import ROOT


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_application_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        *("workflows", "activities", "watchkeeper", "worker.py"),
    }
    assert "watchkeeper/prompts/system.md" in names
    assert "watchkeeper/report_page/report.css" in names
    assert "watchkeeper/report_page/templates/report.html" in names
    assert "watchkeeper/report_page/templates/timeline.svg" in names
    assert "watchkeeper/py.typed" in names
    assert "activities/tools/search_logs.py" in names


def test_the_installed_script_runs_from_anywhere_and_owns_its_names(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    # The dependencies are those of this environment; only the application is new.
    run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    target = next((environment / "lib").glob("python3*")) / "site-packages"
    packages = [path for path in sys.path if Path(path).name == "site-packages"]
    (target / "dependencies.pth").write_text("\n".join(packages) + "\n")
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        environment / "bin" / "python",
        "install",
        "--quiet",
    ]
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    tools = json.loads(run(environment / "bin" / "watchkeeper", "tools", "--json", cwd=elsewhere))
    assert [tool["function"]["name"] for tool in tools] == [
        *("get_deploys", "get_service_health", "page_engineer", "search_logs"),
    ]
    question = (
        "import importlib.metadata as m, json, watchkeeper; owners = m.packages_distributions();"
        "names = ('workflows', 'activities', 'worker');"
        "print(json.dumps([watchkeeper.__file__, *(sorted(set(owners[name])) for name in names)]))"
    )
    where, *owners = json.loads(run(environment / "bin" / "python", "-c", question, cwd=elsewhere))
    assert where.startswith(str(environment))
    assert owners == [["watchkeeper"]] * 3


def test_the_constraints_name_versions_and_no_addresses() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert all("==" in line and "://" not in line for line in lines)
