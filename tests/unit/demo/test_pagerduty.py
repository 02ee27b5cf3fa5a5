from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.world import ROUTING_KEYS, World


def trigger(**changes: Any) -> JsonObject:
    payload = {"summary": "checkout fails", "source": "test", "severity": "critical"}
    return {
        "routing_key": ROUTING_KEYS["checkout"],
        "event_action": "trigger",
        "dedup_key": "k1",
        "payload": payload,
    } | changes


async def send(http: AsyncClient, world: World, event: object) -> Response:
    return await http.post(f"{world.urls.pagerduty_events_url}/v2/enqueue", json=event)


async def incidents(http: AsyncClient, world: World, **query: str) -> Any:
    headers = {
        "authorization": f"Token token={world.pagerduty_token}",
        "accept": "application/vnd.pagerduty+json;version=2",
    }
    answer = await http.get(f"{world.urls.pagerduty_api_url}/incidents", params=query, headers=headers)
    assert answer.status_code == 200
    return answer.json()["incidents"]


async def test_a_trigger_opens_an_incident(http: AsyncClient, world: World) -> None:
    answer = await send(http, world, trigger())
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "k1"}
    (incident,) = await incidents(http, world, incident_key="k1")
    assert (incident["incident_number"], incident["title"], incident["status"]) == (
        4827,
        "checkout fails",
        "triggered",
    )
    assert incident["incident_key"] == "k1"
    assert incident["html_url"].startswith("https://")
    assert await incidents(http, world, incident_key="other") == []


async def test_the_same_key_joins_the_open_incident(http: AsyncClient, world: World) -> None:
    for _ in range(3):
        await send(http, world, trigger())
    assert len(world.pages.events) == 3
    (incident,) = world.pages.incidents
    assert (incident.team, incident.key, incident.alerts) == ("checkout", "k1", 3)


async def test_another_key_or_team_opens_another(http: AsyncClient, world: World) -> None:
    await send(http, world, trigger())
    await send(http, world, trigger(dedup_key="k2"))
    await send(http, world, trigger(routing_key=ROUTING_KEYS["search"]))
    assert [incident.number for incident in world.pages.incidents] == [4827, 4828, 4829]


async def test_without_a_key_each_event_opens_an_incident(http: AsyncClient, world: World) -> None:
    event = trigger()
    del event["dedup_key"]
    keys = [(await send(http, world, event)).json()["dedup_key"] for _ in range(2)]
    assert len(set(keys)) == len(world.pages.incidents) == 2


async def test_after_a_resolve_the_key_opens_a_new_incident(http: AsyncClient, world: World) -> None:
    for action in ("trigger", "acknowledge", "resolve", "resolve", "acknowledge", "trigger"):
        assert (await send(http, world, trigger(event_action=action))).status_code == 202
    assert [(i.number, i.status) for i in world.pages.incidents] == [(4827, "resolved"), (4828, "triggered")]
    found = await incidents(http, world, incident_key="k1", **{"statuses[]": "triggered"})
    assert [incident["incident_number"] for incident in found] == [4828]


async def test_a_resolve_needs_the_routing_key_of_the_trigger(http: AsyncClient, world: World) -> None:
    await send(http, world, trigger())
    await send(http, world, trigger(event_action="resolve", routing_key=ROUTING_KEYS["search"]))
    assert world.pages.incidents[0].status == "triggered"


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (trigger(routing_key=None), "'routing_key' is missing or blank"),
        (trigger(routing_key="short"), "Length of 'routing_key' is incorrect (should be 32 characters)"),
        (trigger(routing_key="x" * 32), "Invalid routing key"),
        (trigger(event_action="page"), "'event_action' is invalid"),
        (trigger(dedup_key="k" * 256), "'dedup_key' is invalid"),
        (trigger(event_action="resolve", dedup_key=""), "'dedup_key' is missing or blank"),
        (trigger(payload=None), "'payload' is missing or blank"),
        (trigger(payload={"source": "s", "severity": "info"}), "'payload.summary' is missing or blank"),
        (trigger(payload={"summary": "s", "source": " ", "severity": "info"}), "'payload.source' is missing"),
        (trigger(payload={"summary": "s", "source": "s", "severity": "bad"}), "'payload.severity' is invalid"),
        (trigger(payload={"summary": "s" * 1025, "source": "s", "severity": "info"}), "'payload.summary' is too long"),
        (trigger(client=1), "'client' is invalid"),
        (trigger(client_url=["https://x.example"]), "'client_url' is invalid"),
        (trigger(client_url="ui.example/run"), "'client_url' is invalid (must be a URL)"),
        (trigger(links={"href": "https://x.example"}), "'links' is invalid (must be an array of objects)"),
        (trigger(links=["https://x.example"]), "'links' is invalid (must be an array of objects)"),
        (trigger(links=[{"text": "Run"}]), "'links.href' is invalid (must be a URL)"),
        (trigger(links=[{"href": "javascript:alert(1)"}]), "'links.href' is invalid (must be a URL)"),
        (trigger(links=[{"href": "https://x.example", "text": 1}]), "'links.text' is invalid"),
        (trigger(images=[{"href": "https://x.example"}]), "'images.src' is invalid (must be a URL)"),
        (
            trigger(payload={"summary": "s", "source": "s", "severity": "info", "custom_details": [1]}),
            "'payload.custom_details' is invalid",
        ),
        (["no", "object"], "event must be a JSON object"),
    ],
)
async def test_an_invalid_event_is_refused_with_the_reason(
    http: AsyncClient, world: World, event: object, fault: str
) -> None:
    answer = await send(http, world, event)
    body = answer.json()
    assert answer.status_code == 400
    assert (body["status"], body["message"]) == ("invalid event", "Event object is invalid")
    assert any(fault in error for error in body["errors"])
    assert world.pages.events == []


async def test_an_event_that_is_no_json_or_too_large_is_refused(http: AsyncClient, world: World) -> None:
    url = f"{world.urls.pagerduty_events_url}/v2/enqueue"
    assert (await http.post(url, content=b"{")).json()["errors"] == ["body is not valid JSON"]
    assert (await http.post(url, content=b" " * 600_000)).status_code == 413


async def test_a_trigger_has_links_and_the_sending_program(http: AsyncClient, world: World) -> None:
    links = [{"href": "https://ui.example/run", "text": "Run"}, {"href": "http://x.example"}]
    event = trigger(client="Watchkeeper", client_url="https://ui.example/run", links=links)
    assert (await send(http, world, event)).status_code == 202


async def test_an_unknown_status_is_refused(http: AsyncClient, world: World) -> None:
    headers = {"authorization": f"Token token={world.pagerduty_token}"}
    place = f"{world.urls.pagerduty_api_url}/incidents"
    answer = await http.get(place, params={"statuses[]": ["triggered", "open"]}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["errors"]) == (400, ["Invalid status: open"])


@pytest.mark.parametrize("authorization", [None, "Token token=wrong", "Bearer demo-pagerduty-token"])
async def test_the_rest_api_needs_its_token(http: AsyncClient, world: World, authorization: str | None) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = await http.get(f"{world.urls.pagerduty_api_url}/incidents", headers=headers)
    assert answer.status_code == 401
    assert not answer.headers["content-type"].startswith("application/json")


async def test_an_incident_can_appear_late_in_the_rest_api(http: AsyncClient, world: World) -> None:
    world.pages.rest_delay = 60
    await send(http, world, trigger())
    assert await incidents(http, world, incident_key="k1") == []
    world.pages.rest_delay = 0
    assert len(await incidents(http, world, incident_key="k1")) == 1


async def test_notes_are_kept_with_their_incident(http: AsyncClient, world: World) -> None:
    await send(http, world, trigger())
    (incident,) = await incidents(http, world)
    place = f"{world.urls.pagerduty_api_url}/incidents/{incident['id']}/notes"
    headers = {"authorization": f"Token token={world.pagerduty_token}"}
    note = {"note": {"content": "It was the deploy."}}
    assert (await http.post(place, json=note, headers=headers)).status_code == 400  # without From
    headers["from"] = "ada@example.com"
    assert (await http.post(place, json={"note": {}}, headers=headers)).status_code == 400
    assert (await http.post(place, json=note, headers=headers)).status_code == 201
    assert [kept["content"] for kept in (await http.get(place, headers=headers)).json()["notes"]] == [
        "It was the deploy."
    ]
    elsewhere = f"{world.urls.pagerduty_api_url}/incidents/Q1/notes"
    assert (await http.get(elsewhere, headers=headers)).status_code == 404
    assert (await http.get(place)).status_code == 401
