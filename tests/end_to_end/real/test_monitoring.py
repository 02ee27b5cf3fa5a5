"""What real Prometheus and Alertmanager do is what the sources and the tools expect of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.end_to_end.real.monitoring import GROUP_INTERVAL, TOKEN, WINDOW, monitoring, until
from tests.end_to_end.real.programs import SECONDS
from tests.end_to_end.real.receiver import Receiver
from tests.support.settings import build_settings
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert
from watchkeeper.incident.episode import ends_firing, is_repeat
from watchkeeper.tool import ToolCall
from watchkeeper.tool_calling.catalogue import discover_tools
from watchkeeper.tool_calling.execution import run_tool

pytestmark = pytest.mark.real

ERRORS = ("HighErrorRate", "checkout")
LATENCY = ("HighLatency", "checkout")


def by_name(alerts: list[Alert]) -> dict[str, Alert]:
    return {alert.labels["alertname"]: alert for alert in alerts}


async def until_told(receiver: Receiver, since: int = 0, **statuses: str) -> dict[str, Alert]:
    """Return the alerts of these names when requests since that number have told that they are so."""
    found: dict[str, Alert] = {}
    async with asyncio.timeout(SECONDS):
        while found.keys() != statuses.keys():
            await asyncio.sleep(0.05)
            for number in range(since, len(receiver)):
                told = by_name(await receiver.told(number))
                found |= {name: alert for name, alert in told.items() if statuses.get(name) == alert.status}
    return found


async def test_an_incident_is_told_from_its_beginning_to_its_return(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN)
    async with receiver.running() as url, monitoring(tmp_path, url) as watched:
        toy = watched.toy
        toy.fail("checkout")
        fired = (await until_told(receiver, HighErrorRate="firing"))["HighErrorRate"]
        assert await watched.firing() == {ERRORS}
        assert (fired.service, fired.severity, fired.team) == ("checkout", "critical", "payments")
        assert fired.title.startswith("HighErrorRate: checkout fails ")
        assert "More than 5 % of the requests to checkout" in fired.description
        assert fired.links["runbook"] == "https://runbooks.example.com/high-error-rate"
        assert reason_not_to_start(fired, receiver.source.section) is None

        toy.crawl("checkout")
        joined = await until_told(receiver, len(receiver), HighErrorRate="firing", HighLatency="firing")
        assert is_repeat(joined["HighErrorRate"], fired)
        assert {workflow_id(alert) for alert in joined.values()} == {workflow_id(fired)}
        assert reason_not_to_start(joined["HighLatency"], receiver.source.section) == "its severity starts no run"

        toy.heal("checkout")
        over = await until_told(receiver, len(receiver), HighErrorRate="resolved", HighLatency="resolved")
        assert ends_firing(over["HighErrorRate"], fired)
        assert ends_firing(over["HighLatency"], joined["HighLatency"])
        assert await watched.firing() == set()

        toy.fail("checkout")
        again = (await until_told(receiver, len(receiver), HighErrorRate="firing"))["HighErrorRate"]
        assert workflow_id(again) == workflow_id(fired)
        assert again.fingerprint == fired.fingerprint
        assert not is_repeat(again, fired)
        assert again.starts_at is not None and over["HighErrorRate"].ends_at is not None
        assert again.starts_at >= over["HighErrorRate"].ends_at
        assert not ends_firing(over["HighErrorRate"], again)


async def test_what_is_refused_is_told_again_and_what_is_accepted_is_not(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN)
    async with receiver.running() as url, monitoring(tmp_path, url) as watched:
        receiver.refuse()
        watched.toy.fail("payments")
        await until(lambda: len(receiver) >= 3)
        receiver.accept()
        before = len(receiver)
        await until(lambda: len(receiver) > before)
        first, taken = by_name(await receiver.told(0)), by_name(await receiver.told())
        assert taken["HighErrorRate"].status == "firing"
        assert is_repeat(taken["HighErrorRate"], first["HighErrorRate"])
        await asyncio.sleep(3 * GROUP_INTERVAL)
        assert len(receiver) == before + 1

        receiver.refuse()
        watched.toy.heal("payments")
        await watched.until_firing()
        await until(lambda: len(receiver) >= before + 2)
        receiver.accept()
        over = await until_told(receiver, before + 1, HighErrorRate="resolved")
        assert ends_firing(over["HighErrorRate"], taken["HighErrorRate"])


async def test_the_health_of_a_service_is_what_it_is(tmp_path: Path) -> None:
    tool = discover_tools()["get_service_health"]
    receiver = Receiver(TOKEN)
    async with receiver.running() as url, monitoring(tmp_path, url) as watched:
        settings = build_settings(
            services={name: {"team": "payments"} for name in watched.toy.services},
            prometheus={"url": watched.prometheus_url, "window": WINDOW},
        )

        async def health(service: str) -> dict[str, object]:
            call = ToolCall(run="run-1", key="r1.0", arguments=json.dumps({"service": service}))
            result = await run_tool(tool, call, settings=settings, http=watched.http, at=watched.now(), attempt=1)
            assert result.status == "ok", result.content
            content: dict[str, object] = json.loads(result.content)
            return content

        watched.toy.fail("checkout", 0.25)
        watched.toy.crawl("checkout", 2.0)
        await watched.until_measured()
        checkout, payments = await health("checkout"), await health("payments")
        served = watched.toy.services["checkout"]
        assert checkout["status"] == "degraded"
        assert checkout["error_rate"] == pytest.approx(served.failed / served.served, abs=0.02)
        assert checkout["p95_latency_ms"] == pytest.approx(2_500, abs=100), "in its bucket, which ends at 2.5 s"
        assert (payments["status"], payments["error_rate"]) == ("healthy", 0)
        assert "note" not in checkout | payments
