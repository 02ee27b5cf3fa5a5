from typing import Any

import pytest
from httpx2 import AsyncClient

from watchkeeper.demo.scenario import Traffic
from watchkeeper.demo.world import World

REQUESTS = 'sum(rate(http_requests_total{{service="{}"}}[5m]))'
ERRORS = 'sum(rate(http_requests_total{{service="{}",code=~"5.."}}[5m]))'
P95 = 'histogram_quantile(0.95, sum by (le) (rate(http_request_duration_seconds_bucket{{service="{}"}}[5m])))'


class Prometheus:
    def __init__(self, http: AsyncClient, world: World) -> None:
        self._http, self._base = http, f"{world.urls.prometheus_url}/api/v1"

    async def result(self, query: str, **parameters: str) -> Any:
        answer = await self._http.get(f"{self._base}/query", params={"query": query, **parameters})
        body = answer.json()
        assert answer.status_code == 200, body
        assert body["status"] == "success"
        return body["data"]["result"]

    async def value(self, query: str, **parameters: str) -> float:
        (sample,) = await self.result(query, **parameters)
        assert sample["metric"] == {}
        assert isinstance(sample["value"][1], str)
        return float(sample["value"][1])

    async def error(self, path: str, **parameters: str) -> str:
        answer = await self._http.get(f"{self._base}/{path}", params=parameters)
        body = answer.json()
        assert answer.status_code == 400
        assert (body["status"], body["errorType"]) == ("error", "bad_data")
        return str(body["error"])


@pytest.fixture
def prometheus(http: AsyncClient, world: World) -> Prometheus:
    return Prometheus(http, world)


@pytest.mark.parametrize(
    ("service", "requests", "ratio", "p95"),
    [("checkout", 42.0, 0.182, 4.2), ("payments", 18.0, 0.002, 0.18), ("search", 65.0, 0.001, 0.095)],
)
async def test_the_numbers_of_the_incident(
    prometheus: Prometheus, service: str, requests: float, ratio: float, p95: float
) -> None:
    assert await prometheus.value(REQUESTS.format(service)) == pytest.approx(requests)
    assert await prometheus.value(ERRORS.format(service)) == pytest.approx(requests * ratio)
    assert await prometheus.value(P95.format(service)) == pytest.approx(p95)


async def test_checkout_was_healthy_before_the_errors_began(prometheus: Prometheus, world: World) -> None:
    before = str(world.scenario.failing_since - 1)
    assert await prometheus.value(ERRORS.format("checkout"), time=before) == pytest.approx(42.0 * 0.002)
    assert await prometheus.value(P95.format("checkout"), time=before) == pytest.approx(0.19)


async def test_checkout_is_healthy_after_the_rollback(prometheus: Prometheus, world: World) -> None:
    world.scenario.recover()
    assert await prometheus.value(ERRORS.format("checkout")) == pytest.approx(42.0 * 0.002)


@pytest.mark.parametrize("query", [REQUESTS, ERRORS, P95])
async def test_an_unknown_service_has_no_series(prometheus: Prometheus, query: str) -> None:
    assert await prometheus.result(query.format("billing")) == []
    assert await prometheus.result('sum(rate(no_such_metric{service="checkout"}[5m]))') == []


async def test_the_latency_without_traffic_is_not_a_number(prometheus: Prometheus, world: World) -> None:
    world.scenario.steady["search"] = Traffic(0.0, 0.0, 0.095)
    (sample,) = await prometheus.result(P95.format("search"))
    assert sample["value"][1] == "NaN"


async def test_every_p95_between_the_bounds_is_reproduced(prometheus: Prometheus, world: World) -> None:
    for p95 in (0.011, 0.03, 0.26, 0.5, 0.51, 1.0, 2.2, 9.9):
        world.scenario.steady["search"] = Traffic(10.0, 0.0, p95)
        assert await prometheus.value(P95.format("search")) == pytest.approx(p95)


@pytest.mark.parametrize(
    ("matchers", "requests"),
    [
        ("", 125.0),
        ('service!="checkout"', 83.0),
        ('service=~"check.*|search"', 107.0),
        ('service!~"check.*" , code="200"', 83.0 - 18.0 * 0.002 - 65.0 * 0.001),
        ('service="checkout", zone=""', 42.0),
        ('service="checkout", zone="a"', None),
        (r'service="check\u006fut"', 42.0),
    ],
)
async def test_matchers_select_series(prometheus: Prometheus, matchers: str, requests: float | None) -> None:
    result = await prometheus.result(f"sum(rate(http_requests_total{{{matchers}}}[5m]))")
    assert [float(sample["value"][1]) for sample in result] == ([] if requests is None else [pytest.approx(requests)])


@pytest.mark.parametrize(
    "query",
    [
        "",
        "up",
        "(1 + 2) * 3",
        "sum(rate(http_requests_total[5m]))",
        "sum(rate(http_requests_total{service=checkout}[5m]))",
        'sum(rate(http_requests_total{service="checkout"}[5m])',
        'sum(rate(http_requests_total{service="checkout"}[5m])) / 2',
        'sum(increase(http_requests_total{service="checkout"}[5m]))',
        'sum by (service) (rate(http_requests_total{service="checkout"}[5m]))',
    ],
)
async def test_a_query_of_another_shape_is_refused(prometheus: Prometheus, query: str) -> None:
    error = await prometheus.error("query", query=query)
    assert error.startswith('invalid parameter "query": parse error: the simulated Prometheus answers only sum(rate(')
    assert error.endswith(f"not {query!r}")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"query": REQUESTS.format("(").replace("=", "=~")}, "error parsing regexp '('"),
        ({"query": REQUESTS.format("\\q")}, "invalid escape in"),
        ({"query": REQUESTS.format("search"), "time": "now"}, 'invalid parameter "time": cannot parse "now"'),
    ],
)
async def test_a_query_that_prometheus_refuses_is_refused(
    prometheus: Prometheus, parameters: dict[str, str], message: str
) -> None:
    assert message in await prometheus.error("query", **parameters)


async def test_it_answers_at_the_time_asked_for_and_is_ready(prometheus: Prometheus, world: World) -> None:
    (sample,) = await prometheus.result(REQUESTS.format("search"), time="1767225600")
    assert sample["value"] == [1767225600.0, "65.0"]
    async with AsyncClient(verify=False) as http:
        assert (await http.get(f"{world.urls.prometheus_url}/-/ready")).status_code == 200
