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
async def test_the_facts_of_the_incident(
    prometheus: Prometheus, service: str, requests: float, ratio: float, p95: float
) -> None:
    asked, failed = REQUESTS.format(service), ERRORS.format(service)
    assert await prometheus.value(asked) == pytest.approx(requests)
    assert await prometheus.value(failed) == pytest.approx(requests * ratio)
    assert await prometheus.value(f"{failed} / {asked}") == pytest.approx(ratio)
    assert await prometheus.value(P95.format(service)) == pytest.approx(p95)


async def test_before_the_onset_checkout_was_healthy(prometheus: Prometheus, world: World) -> None:
    before = str(world.scenario.failing_since - 1)
    ratio = f"{ERRORS.format('checkout')}/{REQUESTS.format('checkout')}"
    assert await prometheus.value(ratio, time=before) == pytest.approx(0.002)
    assert await prometheus.value(P95.format("checkout"), time=before) == pytest.approx(0.19)


async def test_a_recovered_checkout_is_healthy(prometheus: Prometheus, world: World) -> None:
    world.scenario.recover()
    ratio = f"{ERRORS.format('checkout')}/{REQUESTS.format('checkout')}"
    assert await prometheus.value(ratio) == pytest.approx(0.002)


async def test_an_unknown_service_has_no_series(prometheus: Prometheus) -> None:
    for query in (REQUESTS, ERRORS, P95):
        assert await prometheus.result(query.format("billing")) == []
    assert await prometheus.result("sum(rate(no_such_metric[5m]))") == []


async def test_no_traffic_is_not_a_number(prometheus: Prometheus, world: World) -> None:
    world.scenario.steady["search"] = Traffic(0.0, 0.0, 0.095)
    (sample,) = await prometheus.result(f"{ERRORS.format('search')} / {REQUESTS.format('search')}")
    assert sample["value"][1] == "NaN"
    (sample,) = await prometheus.result(P95.format("search"))
    assert sample["value"][1] == "NaN"


async def test_every_p95_between_the_bounds_comes_out_as_set(prometheus: Prometheus, world: World) -> None:
    for p95 in (0.011, 0.03, 0.26, 0.5, 0.51, 1.0, 2.2, 9.9):
        world.scenario.steady["search"] = Traffic(10.0, 0.0, p95)
        assert await prometheus.value(P95.format("search")) == pytest.approx(p95)


async def test_groups_and_arithmetic(prometheus: Prometheus) -> None:
    by_service = await prometheus.result("sum by (service) (rate(http_requests_total[1m]))")
    assert {sample["metric"]["service"]: sample["value"][1] for sample in by_service} == {
        "checkout": "42.0",
        "payments": "18.0",
        "search": "65.0",
    }
    assert await prometheus.value("max(rate(http_requests_total[1m]))") == pytest.approx(64.935)
    assert await prometheus.value("count(rate(http_requests_total{code!='200'}[1m]))") == 3
    assert await prometheus.value('sum(increase(http_requests_total{service="search"}[1m])) * 2 - 1') == pytest.approx(
        7799
    )
    scalar = await prometheus.result("(1 + 2) * 3")
    assert scalar[1] == "9.0"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("up", "does not evaluate 'up'"),
        ("sum(rate(http_requests_total[5m])", "unexpected end of input"),
        ("sum(rate(http_requests_total))", "unexpected ')'"),
        ('rate(http_requests_total{service=~"(a"}[5m])', "invalid regular expression"),
        ("rate(http_requests_total{a='\\q'}[5m])", "invalid escape"),
        ("rate(http_requests_total[5m]) é", "unexpected 'é'"),
        ("", "unexpected end of input"),
    ],
)
async def test_what_it_cannot_evaluate_it_refuses_by_name(prometheus: Prometheus, query: str, said: str) -> None:
    error = await prometheus.error("query", query=query)
    assert error.startswith('invalid parameter "query": 1:')
    assert said in error
    assert repr(query) in error


async def test_it_takes_forms_and_both_spellings_of_time(http: AsyncClient, world: World) -> None:
    asked = {"query": REQUESTS.format("search"), "time": "2026-01-01T00:00:00Z"}
    answer = await http.post(f"{world.urls.prometheus_url}/api/v1/query", data=asked)
    assert answer.json()["data"]["result"][0]["value"] == [1767225600.0, "65.0"]


async def test_a_range_shows_the_step(http: AsyncClient, world: World) -> None:
    since = world.scenario.failing_since
    asked = {
        "query": f"{ERRORS.format('checkout')}/{REQUESTS.format('checkout')}",
        "start": str(since - 60),
        "end": str(since + 60),
        "step": "30s",
    }
    answer = await http.get(f"{world.urls.prometheus_url}/api/v1/query_range", params=asked)
    (series,) = answer.json()["data"]["result"]
    assert answer.json()["data"]["resultType"] == "matrix"
    assert [float(value) for _, value in series["values"]] == pytest.approx([0.002, 0.002, 0.182, 0.182, 0.182])
    assert [at for at, _ in series["values"]] == pytest.approx([since + 30 * i for i in range(-2, 3)])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"start": "0", "end": "11001", "step": "1"}, "exceeded maximum resolution of 11,000 points"),
        ({"start": "10", "end": "0", "step": "1"}, 'invalid parameter "end"'),
        ({"start": "0", "end": "10", "step": "0"}, 'invalid parameter "step"'),
        ({"start": "0", "end": "10", "step": "soon"}, 'invalid parameter "step"'),
        ({"start": "now", "end": "10", "step": "1"}, 'invalid parameter "start": cannot parse "now"'),
    ],
)
async def test_ranges_it_refuses(prometheus: Prometheus, parameters: dict[str, str], said: str) -> None:
    assert said in await prometheus.error("query_range", query="1+1", **parameters)


async def test_labels_and_readiness(http: AsyncClient, world: World) -> None:
    base = world.urls.prometheus_url
    assert (await http.get(f"{base}/api/v1/label/service/values")).json()["data"] == ["checkout", "payments", "search"]
    assert (await http.get(f"{base}/api/v1/label/code/values")).json()["data"] == ["200", "500"]
    assert len((await http.get(f"{base}/api/v1/label/__name__/values")).json()["data"]) == 2
    assert (await http.get(f"{base}/-/ready")).status_code == 200
