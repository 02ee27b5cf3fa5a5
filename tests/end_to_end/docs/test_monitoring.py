"""What the documentation shows of Prometheus's and Alertmanager's own tools, done as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.end_to_end.docs.commands import shown
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
"""What is to be typed beside the examples, and what a tool that is content says."""


@pytest.fixture(autouse=True)
def installed() -> None:
    if why := missing_programs():
        pytest.skip(why)


async def typed(command: str, directory: Path) -> str:
    """Have a shell do a command in a directory, which is its home too, and go well; returns what it said."""
    environment = {**os.environ, "HOME": str(directory)}
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=directory,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


def test_every_command_of_the_page_is_run_here() -> None:
    programs = ("amtool", "promtool", "openssl")
    found = {command for command in shown() if command.startswith(programs)} - {"amtool check-config"}
    assert found == {MAKE_TOKEN, MAKE_KEY, FIRE, *CHECKS}


@pytest.mark.parametrize("command", CHECKS)
async def test_the_examples_pass_their_check_commands(command: str) -> None:
    assert CHECKS[command] in await typed(command, EXAMPLES)


async def test_a_token_is_created_and_an_alert_sent_by_hand_starts_a_run(client: Client, tmp_path: Path) -> None:
    token, ports = tmp_path / "watchkeeper.token", (free_port(), free_port())
    await typed(MAKE_TOKEN.replace(TOKEN_FILE, str(token)), tmp_path)
    assert len(await typed(MAKE_KEY, tmp_path)) == len(token.read_text()) == 65
    settings: dict[str, Any] = {
        "sources": {"prometheus": {"kind": "alertmanager", "tokens": [token.read_text().strip()]}},
        "intake": {"port": ports[0]},
        "watchdog": {"journal": tmp_path / "watchdog.db"},
    }
    for place in ("amtool/config.yml", "prometheus/amtool.yml"):  # upstream's, and Debian's
        known = tmp_path / ".config" / place
        known.parent.mkdir(parents=True)
        known.write_text(f"alertmanager.url: http://127.0.0.1:{ports[1]}\n")
    (tmp_path / "alertmanager.yml").write_text(_ours(ports[0], token))
    async with (
        run_harness(client, [says("Checkout is well.")], **settings) as harness,
        serve_intake(client, harness.settings),
        program(
            *(alertmanager(), ports[1], tmp_path, f"--config.file={tmp_path / 'alertmanager.yml'}"),
            *(f"--storage.path={tmp_path / 'data'}", "--cluster.listen-address="),
        ),
    ):
        await typed(FIRE, tmp_path)
        async with asyncio.timeout(30):
            while not harness.model.requests:
                await asyncio.sleep(0.1)
        assert "test" in harness.messages()[1]["content"]


def _ours(port: int, token: Path) -> str:
    """The example, but in a hurry, with our address and token, and with nobody to page."""
    example = (EXAMPLES / "alertmanager.yml").read_text()
    changes = (
        (r"http://watchkeeper\.example\.com:8080", f"http://127.0.0.1:{port}"),
        (re.escape(TOKEN_FILE), str(token)),
        (r"group_wait: 10s", "group_wait: 0s"),
        (r"    pagerduty_configs:\n.*\n", ""),
    )
    for pattern, replacement in changes:
        example, times = re.subn(pattern, replacement, example)
        assert times, f"the example does not hold {pattern}"
    return example
