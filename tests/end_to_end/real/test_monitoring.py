"""Real Prometheus and Alertmanager behave as the alert source and the tools expect."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.end_to_end.real.monitoring import GROUP_INTERVAL, TOKEN, WINDOW, run_monitoring, wait_until
from tests.end_to_end.real.programs import SECONDS
from tests.end_to_end.real.receiver import Receiver
from tests.support.settings import build_settings
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert
from watchkeeper.incident.firing_order import ends_firing, is_repeat
from watchkeeper.tool import ToolCall
from watchkeeper.tool_calling.catalogue import discover_tools
from watchkeeper.tool_calling.execution import run_tool

pytestmark = pytest.mark.real

ERRORS = ("HighErrorRate", "checkout")
LATENCY = ("HighLatency", "checkout")


def by_name(alerts: list[Alert]) -> dict[str, Alert]:
    return {alert.labels["alertname"]: alert for alert in alerts}


async def wait_for_alerts(receiver: Receiver, since: int = 0, **statuses: str) -> dict[str, Alert]:
    """Wait until requests from number ``since`` on reported these statuses; return the alerts by name."""
    found: dict[str, Alert] = {}
    async with asyncio.timeout(SECONDS):
        while found.keys() != statuses.keys():
            await asyncio.sleep(0.05)
            for number in range(since, len(receiver)):
                alerts = by_name(await receiver.alerts(number))
                found |= {name: alert for name, alert in alerts.items() if statuses.get(name) == alert.status}
    return found


async def test_alertmanager_reports_an_incident_from_firing_to_refiring(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN)
    async with receiver.serve_webhook() as url, run_monitoring(tmp_path, url) as monitoring:
        toy = monitoring.toy
        toy.fail("checkout")
        fired = (await wait_for_alerts(receiver, HighErrorRate="firing"))["HighErrorRate"]
        assert await monitoring.firing() == {ERRORS}
        assert (fired.service, fired.severity, fired.team) == ("checkout", "critical", "payments")
        assert fired.title.startswith("HighErrorRate: checkout fails ")
        assert "More than 5 % of the requests to checkout" in fired.description
        assert fired.links["runbook"] == "https://runbooks.example.com/high-error-rate"
        assert reason_not_to_start(fired, receiver.source.section) is None

        toy.slow_down("checkout")
        joined = await wait_for_alerts(receiver, len(receiver), HighErrorRate="firing", HighLatency="firing")
        assert is_repeat(joined["HighErrorRate"], fired)
        assert {workflow_id(alert) for alert in joined.values()} == {workflow_id(fired)}
        assert reason_not_to_start(joined["HighLatency"], receiver.source.section) == "its severity starts no run"

        toy.recover("checkout")
        resolved = await wait_for_alerts(receiver, len(receiver), HighErrorRate="resolved", HighLatency="resolved")
        assert ends_firing(resolved["HighErrorRate"], fired)
        assert ends_firing(resolved["HighLatency"], joined["HighLatency"])
        assert await monitoring.firing() == set()

        toy.fail("checkout")
        refired = (await wait_for_alerts(receiver, len(receiver), HighErrorRate="firing"))["HighErrorRate"]
        assert workflow_id(refired) == workflow_id(fired)
        assert refired.fingerprint == fired.fingerprint
        assert not is_repeat(refired, fired)
        assert refired.starts_at is not None and resolved["HighErrorRate"].ends_at is not None
        assert refired.starts_at >= resolved["HighErrorRate"].ends_at
        assert not ends_firing(resolved["HighErrorRate"], refired)


async def test_a_refused_notification_is_sent_again_and_an_accepted_one_is_not(tmp_path: Path) -> None:
    receiver = Receiver(TOKEN)
    async with receiver.serve_webhook() as url, run_monitoring(tmp_path, url) as monitoring:
        receiver.refuse()
        monitoring.toy.fail("payments")
        await wait_until(lambda: len(receiver) >= 3)
        receiver.accept()
        before = len(receiver)
        await wait_until(lambda: len(receiver) > before)
        first, accepted = by_name(await receiver.alerts(0)), by_name(await receiver.alerts())
        assert accepted["HighErrorRate"].status == "firing"
        assert is_repeat(accepted["HighErrorRate"], first["HighErrorRate"])
        await asyncio.sleep(3 * GROUP_INTERVAL)
        assert len(receiver) == before + 1

        receiver.refuse()
        monitoring.toy.recover("payments")
        await monitoring.wait_until_firing()
        await wait_until(lambda: len(receiver) >= before + 2)
        receiver.accept()
        resolved = await wait_for_alerts(receiver, before + 1, HighErrorRate="resolved")
        assert ends_firing(resolved["HighErrorRate"], accepted["HighErrorRate"])


async def test_the_health_tool_reports_the_real_error_rate_and_latency(tmp_path: Path) -> None:
    tool = discover_tools()["get_service_health"]
    receiver = Receiver(TOKEN)
    async with receiver.serve_webhook() as url, run_monitoring(tmp_path, url) as monitoring:
        settings = build_settings(
            services={name: {"team": "payments"} for name in monitoring.toy.services},
            prometheus={"url": monitoring.prometheus_url, "window": WINDOW},
        )

        async def health(service: str) -> dict[str, object]:
            call = ToolCall(run="run-1", key="r1.0", arguments=json.dumps({"service": service}))
            result = await run_tool(tool, call, settings=settings, http=monitoring.http, at=monitoring.now(), attempt=1)
            assert result.status == "ok", result.content
            content: dict[str, object] = json.loads(result.content)
            return content

        monitoring.toy.fail("checkout", 0.25)
        monitoring.toy.slow_down("checkout", 2.0)
        await monitoring.wait_until_measured()
        checkout, payments = await health("checkout"), await health("payments")
        assert checkout["status"] == "degraded"
        assert checkout["error_rate"] == pytest.approx(0.25, abs=0.03)
        assert checkout["p95_latency_ms"] == pytest.approx(2_500, abs=100), "in its bucket, which ends at 2.5 s"
        assert (payments["status"], payments["error_rate"]) == ("healthy", 0)
        assert "note" not in checkout | payments
