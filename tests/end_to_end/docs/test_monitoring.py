"""The commands of Prometheus and Alertmanager in the documentation work as shown."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.end_to_end.docs.commands import documented_commands
from tests.end_to_end.real.programs import alertmanager, missing_programs, program
from tests.support.harness import run_harness
from tests.support.paths import ROOT
from watchkeeper.cli.intake import serve_intake
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.scripts import says

pytestmark = pytest.mark.real

EXAMPLES = ROOT / "examples"
TOKEN_FILE = "/etc/alertmanager/watchkeeper.token"

MAKE_TOKEN = f"openssl rand -hex 32 > {TOKEN_FILE}"
MAKE_KEY = "openssl rand -hex 32"
FIRE = "amtool alert add test service=checkout severity=critical"
CHECKS = {
    "amtool check-config alertmanager.yml": "SUCCESS",
    "promtool test rules rules.test.yml": "SUCCESS",
    "promtool check rules rules.yml && promtool test rules rules.test.yml": "SUCCESS",
    "promtool test rules watchkeeper-rules.test.yml": "SUCCESS",
    "promtool check rules watchkeeper-rules.yml && promtool test rules watchkeeper-rules.test.yml": "SUCCESS",
}
"""Commands to check the examples, and the output of a successful check."""


@pytest.fixture(autouse=True)
def installed() -> None:
    if why := missing_programs():
        pytest.skip(why)


async def run_in_shell(command: str, directory: Path) -> str:
    """Run a command in a shell, which must succeed; return its output. The directory is also its home."""
    environment = {**os.environ, "HOME": str(directory)}
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def test_every_command_of_the_page_is_run_here() -> None:
    programs = ("amtool", "promtool", "openssl")
    found = {command for command in documented_commands() if command.startswith(programs)} - {"amtool check-config"}
    assert found == {MAKE_TOKEN, MAKE_KEY, FIRE, *CHECKS}


@pytest.mark.parametrize("command", CHECKS)
async def test_the_examples_pass_their_check_commands(command: str) -> None:
    assert CHECKS[command] in await run_in_shell(command, EXAMPLES)


async def test_a_token_is_created_and_an_alert_sent_by_hand_starts_a_run(client: Client, tmp_path: Path) -> None:
    token, ports = tmp_path / "watchkeeper.token", (free_port(), free_port())
    await run_in_shell(MAKE_TOKEN.replace(TOKEN_FILE, str(token)), tmp_path)
    assert len(await run_in_shell(MAKE_KEY, tmp_path)) == len(token.read_text()) == 65
    settings: dict[str, Any] = {
        "sources": {"prometheus": {"kind": "alertmanager", "tokens": [token.read_text().strip()]}},
        "intake": {"port": ports[0]},
        "watchdog": {"journal": tmp_path / "watchdog.db"},
    }
    for place in ("amtool/config.yml", "prometheus/amtool.yml"):  # the path of the upstream release and of Debian
        file = tmp_path / ".config" / place
        file.parent.mkdir(parents=True)
        file.write_text(f"alertmanager.url: http://127.0.0.1:{ports[1]}\n")
    (tmp_path / "alertmanager.yml").write_text(_local_config(ports[0], token))
    async with (
        run_harness(client, [says("Checkout is well.")], **settings) as harness,
        serve_intake(client, harness.settings),
        program(
            *(alertmanager(), ports[1], tmp_path, f"--config.file={tmp_path / 'alertmanager.yml'}"),
            *(f"--storage.path={tmp_path / 'data'}", "--cluster.listen-address="),
        ),
    ):
        await run_in_shell(FIRE, tmp_path)
        async with asyncio.timeout(30):
            while not harness.model.requests:
                await asyncio.sleep(0.1)
        assert "test" in harness.messages()[1]["content"]


def _local_config(port: int, token: Path) -> str:
    """Return the example with a local address and token, without a wait and without PagerDuty."""
    example = (EXAMPLES / "alertmanager.yml").read_text()
    changes = (
        (r"http://watchkeeper\.example\.com:8080", f"http://127.0.0.1:{port}"),
        (re.escape(TOKEN_FILE), str(token)),
        (r"group_wait: 10s", "group_wait: 0s"),
        (r"    pagerduty_configs:\n.*\n", ""),
    )
    for pattern, replacement in changes:
        example, times = re.subn(pattern, replacement, example)
        assert times, f"the example does not contain {pattern}"
    return example
