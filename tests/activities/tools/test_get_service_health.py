from __future__ import annotations

import json
from typing import Any

import pytest

from tests.activities.tools.conftest import ToolHarness
from watchkeeper.demo.scenario import Traffic
from watchkeeper.testing.faults import drop_connection, fault
from watchkeeper.tool import ToolUnavailable


def vector(*values: str, **more: Any) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, value]} for value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


def answer_by_query(harness: ToolHarness, requests: Any, errors: Any, p95: Any) -> None:
    """Answer each of the three concurrent queries by its text, in any order."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        query = harness.world.prometheus.requests[-1].query["query"]
        body = p95 if "histogram" in query else errors if "code=~" in query else requests
        await fault(200, body)(app)(scope, receive, send)

    harness.world.prometheus.outage = lambda _: app


async def test_the_seed_incident(harness: ToolHarness) -> None:
    assert await harness.ok("get_service_health", service="checkout") == {
        "service": "checkout",
        "status": "degraded",
        "error_rate": 0.182,
        "p95_latency_ms": 4200,
        "requests_per_second": 42.0,
        "window": "5m",
    }


async def test_a_healthy_service(harness: ToolHarness) -> None:
    health = await harness.ok("get_service_health", service="payments")
    assert (health["status"], health["error_rate"], health["p95_latency_ms"]) == ("healthy", 0.002, 180)


async def test_a_slow_service_is_degraded(harness: ToolHarness) -> None:
    harness.world.scenario.steady["search"] = Traffic(65.0, 0.0, 1.5)
    health = await harness.ok("get_service_health", service="search")
    assert (health["status"], health["error_rate"], health["p95_latency_ms"]) == ("degraded", 0, 1500)


async def test_a_high_error_rate_is_down(harness: ToolHarness) -> None:
    harness.world.scenario.steady["search"] = Traffic(65.0, 0.95, 0.1)
    assert (await harness.ok("get_service_health", service="search"))["status"] == "down"


async def test_no_traffic_is_not_health(harness: ToolHarness) -> None:
    harness.world.scenario.steady["search"] = Traffic(0.0, 0.0, 0.1)
    health = await harness.ok("get_service_health", service="search")
    assert health["status"] == "no_traffic"
    assert health["requests_per_second"] == 0
    assert "error_rate" not in health
    assert "not good health" in health["note"]


async def test_no_series_is_unknown(harness: ToolHarness) -> None:
    del harness.world.scenario.steady["search"]
    health = await harness.ok("get_service_health", service="search")
    assert health["status"] == "unknown"
    assert 'http_requests_total{service="search"}' in health["note"]
    assert health.keys() == {"service", "status", "window", "note"}


@pytest.mark.parametrize("number", ["NaN", "+Inf", "-Inf"])
async def test_a_value_that_is_not_a_number_is_left_out(harness: ToolHarness, number: str) -> None:
    answer_by_query(harness, vector("10"), vector(number), vector(number))
    health = await harness.ok("get_service_health", service="checkout")
    assert health["status"] == "unknown"
    assert health["requests_per_second"] == 10
    assert not {"error_rate", "p95_latency_ms"} & health.keys()
    assert "error rate is not known" in health["note"]


async def test_traffic_that_is_not_a_number_is_unknown(harness: ToolHarness) -> None:
    answer_by_query(harness, vector("NaN"), vector("1"), vector("1"))
    assert (await harness.ok("get_service_health", service="checkout"))["status"] == "unknown"


async def test_errors_that_were_never_counted_are_noted_as_none(harness: ToolHarness) -> None:
    answer_by_query(harness, vector("10"), vector(), vector("0.1"))
    health = await harness.ok("get_service_health", service="checkout")
    assert (health["status"], health["error_rate"], health["p95_latency_ms"]) == ("healthy", 0, 100)
    assert "taken as no errors" in health["note"]


async def test_warnings_reach_the_model_once(harness: ToolHarness) -> None:
    warned = {"warnings": ["results may be partial: store 3 is unreachable"]}
    answer_by_query(harness, vector("10", **warned), vector("0", **warned), vector("0.1", **warned))
    note = (await harness.ok("get_service_health", service="checkout"))["note"]
    assert note.count("Prometheus warns: results may be partial") == 1


async def test_every_attempt_queries_the_same_time(harness: ToolHarness) -> None:
    await harness.call("get_service_health", service="checkout", attempt=1)
    await harness.call("get_service_health", service="checkout", attempt=2)
    requests = harness.world.prometheus.requests
    assert len(requests) == 6
    assert {request.query["time"] for request in requests} == {f"{harness.at.timestamp():.3f}"}


async def test_the_operators_own_metrics(harness: ToolHarness) -> None:
    harness.set_service("checkout", metrics_selector='app="shop", tier="web"')
    harness.set(
        prometheus={"requests_metric": "hits", "latency_metric": "took", "window": "2m", "errors_matcher": 'ok="no"'}
    )
    await harness.call("get_service_health", service="checkout")
    assert {request.query["query"] for request in harness.world.prometheus.requests} == {
        'sum(rate(hits{app="shop", tier="web"}[2m]))',
        'sum(rate(hits{app="shop", tier="web",ok="no"}[2m]))',
        'histogram_quantile(0.95, sum by (le) (rate(took_bucket{app="shop", tier="web"}[2m])))',
    }


async def test_the_token_is_sent(harness: ToolHarness) -> None:
    harness.settings = type(harness.settings).model_validate(
        {
            "services": {"checkout": {"team": "a"}},
            "prometheus": {"url": harness.world.urls.prometheus_url, "token": "s3cret!"},
        }
    )
    await harness.ok("get_service_health", service="checkout")
    assert {request.headers["authorization"] for request in harness.world.prometheus.requests} == {"Bearer s3cret!"}


async def test_an_error_of_prometheus_is_quoted(harness: ToolHarness) -> None:
    harness.set_service("checkout", metrics_selector="service=checkout")
    error = await harness.error("get_service_health", service="checkout")
    assert "answered 400" in error
    assert "parse error" in error
    assert "?query" not in error


@pytest.mark.parametrize("trouble", [fault(503, {"status": "error"}, {"retry-after": "7"}), drop_connection()])
async def test_an_outage_is_retryable(harness: ToolHarness, trouble: Any) -> None:
    harness.world.prometheus.outage = trouble
    with pytest.raises(ToolUnavailable, match="/api/v1/query"):
        await harness.call("get_service_health", service="checkout")


@pytest.mark.parametrize(
    "body",
    [
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        {"status": "error", "error": "x"},
        {"hello": "world"},
        "<html>Please log in</html>",
        json.dumps([1]),
        '{"status":"success","data":{"resultType":"vector","result":[{"value":[0,"many"]}]}}',
    ],
)
async def test_a_response_that_is_not_prometheus_is_reported(harness: ToolHarness, body: Any) -> None:
    harness.world.prometheus.outage = fault(200, body)
    assert "/api/v1/query answered" in await harness.error("get_service_health", service="checkout")


async def test_no_prometheus_configured(harness: ToolHarness) -> None:
    harness.set(prometheus={"url": None})
    assert "WATCHKEEPER_PROMETHEUS__URL" in await harness.error("get_service_health", service="checkout")
