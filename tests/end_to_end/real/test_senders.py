"""Real Icinga 2, and Zabbix's own script engine, post what the ready-made tables read."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.real.icinga2 import icinga2, run_icinga
from tests.end_to_end.real.receiver import Receiver
from tests.support.paths import EXAMPLES
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert
from watchkeeper.incident.firing_order import ends_firing

TOKEN = "sender-token"
SECONDS = 90.0
ZABBIX = shutil.which("zabbix_js")


async def nth(receiver: Receiver, number: int) -> Alert:
    """Wait for a request and return its alert."""
    async with asyncio.timeout(SECONDS):
        while len(receiver) <= number:
            await asyncio.sleep(0.05)
    (alert,) = await receiver.alerts(number)
    return alert


@pytest.mark.skipif(icinga2() is None, reason="icinga2 or curl is not installed (Debian's icinga2-bin and curl)")
@pytest.mark.timeout(240)
async def test_icinga_posts_problems_and_recoveries_of_services_and_hosts(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN, "icinga2")
    async with receiver.serve_webhook() as url, run_icinga(tmp_path, url, TOKEN) as icinga:
        icinga.set("service", 2, 'HTTP CRITICAL: "503" für $x$ \\ 100 %')
        fired = await nth(receiver, 0)
        assert (fired.status, fired.severity, fired.service, fired.team) == (
            *("firing", "critical", "checkout", "payments"),
        )
        assert fired.fingerprint == "web-1!checkout"
        assert fired.title == "checkout on web-1 is CRITICAL"
        assert 'HTTP CRITICAL: "503" für' in fired.description
        assert fired.links["runbook"] == "https://wiki.example.com/checkout"
        assert reason_not_to_start(fired, receiver.source.section) is None

        icinga.set("service", 0, "fine")
        over = await nth(receiver, 1)
        assert (over.status, over.group) == ("resolved", fired.group)
        assert ends_firing(over, fired)

        icinga.set("host", 2, "no answer")
        down = await nth(receiver, 2)
        assert (down.status, down.severity, down.fingerprint) == ("firing", "critical", "web-1")
        assert (down.title, down.service) == ("web-1 is DOWN", "web-1")


PARAMETERS = {
    "token": TOKEN,
    "event_id": "4711",
    "trigger_id": "23",
    "value": "1",
    "severity": "5",
    "name": 'Checkout "slow"',
    "host": "web-1",
    "opdata": "Current: 4 s",
    "tags": '[{"tag":"service","value":"checkout"}]',
    "url": "https://zabbix.example.com/tr_events.php?triggerid=23&eventid=4711",
}


async def run_zabbix_script(directory: Path, parameters: dict[str, str]) -> tuple[int, str]:
    assert ZABBIX is not None
    given = directory / "parameters.json"
    given.write_text(json.dumps(parameters))
    process = await asyncio.create_subprocess_exec(
        *(ZABBIX, "-s", str(EXAMPLES / "zabbix-webhook.js"), "-i", str(given), "-t", "30"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.skipif(ZABBIX is None, reason="zabbix_js is not installed (Debian's package zabbix-proxy-sqlite3)")
async def test_the_script_for_zabbix_posts_problems_and_fails_if_they_are_refused(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN, "zabbix")
    async with receiver.serve_webhook() as url:
        given = {**PARAMETERS, "address": url}
        code, output = await run_zabbix_script(tmp_path, given)
        assert (code, "{}" in output) == (0, True), output
        fired = await nth(receiver, 0)
        assert (fired.status, fired.severity, fired.title) == ("firing", "critical", 'Checkout "slow"')
        assert (fired.labels, fired.episode) == ({"service": "checkout"}, "4711")

        await run_zabbix_script(tmp_path, {**given, "value": "0"})
        over = await nth(receiver, 1)
        assert (over.status, over.group) == ("resolved", fired.group)
        assert ends_firing(over, fired)

        unset = {name: "{EVENT.ID}" for name in PARAMETERS} | {"address": url, "token": TOKEN, "value": "1"}
        await run_zabbix_script(tmp_path, unset)
        assert (await nth(receiver, 2)).occasion == "test"

        receiver.refuse()
        code, output = await run_zabbix_script(tmp_path, given)
        assert code != 0
        assert "Watchkeeper answered 503" in output
