"""Whom a run may page without approval, from the service catalogue."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tests.support.settings import build_settings
from watchkeeper.contracts import AlertOrigin, RunInput
from watchkeeper.incident.page_rules import incident_of, page_rules

SERVICES: dict[str, Any] = {
    "checkout": {"team": "shop", "depends_on": ["payments", "search"]},
    "payments": {"team": "money", "depends_on": ["ledger"]},
    "search": {"team": "shop"},
    "ledger": {"team": "books"},
    "website": {"team": "web", "depends_on": ["checkout"]},
}


def teams(service: str | None = None, alert_team: str | None = None, *, alerted: bool = True) -> list[str]:
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g", team=alert_team) if alerted else None
    run_input = RunInput(text="x", service=service, origin=origin)
    settings = build_settings(services=SERVICES, teams={"night": {}})
    return page_rules(settings, run_input, incident_of(run_input), "look").teams


@pytest.mark.parametrize(
    ("service", "alert_team", "allowed"),
    [
        ("checkout", None, ["shop", "money", "web"]),
        ("checkout", "night", ["shop", "night", "money", "web"]),
        ("payments", None, ["money", "books", "shop"]),
        ("ledger", None, ["books", "money"]),
        ("search", "shop", ["shop"]),
        (None, "books", ["books"]),
        (None, None, []),
        ("unknown", None, []),
    ],
)
def test_the_teams_of_an_incident(service: str | None, alert_team: str | None, allowed: list[str]) -> None:
    assert teams(service, alert_team) == allowed


@pytest.mark.parametrize(
    ("fallback", "alert_team", "allowed", "unowned"),
    [
        ("night", None, ["night"], True),
        (None, None, [], True),
        ("night", "books", ["books"], False),
    ],
)
def test_no_team_owns_a_service_that_is_not_in_the_catalogue(
    fallback: str | None, alert_team: str | None, allowed: list[str], unowned: bool
) -> None:
    settings = build_settings(services=SERVICES, teams={"night": {}}, reports={"team": fallback})
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g", team=alert_team, unknown_service="billing")
    run_input = RunInput(text="x", origin=origin)
    rules = page_rules(settings, run_input, incident_of(run_input), "look")
    assert (rules.teams, rules.unowned, rules.incident.unknown_service) == (allowed, unowned, "billing")


def test_the_rules_name_every_owner_and_every_other_team() -> None:
    settings = build_settings(services=SERVICES, teams={"night": {}, "shop": {}})
    run_input = RunInput(text="x")
    rules = page_rules(settings, run_input, incident_of(run_input), "look")
    assert rules.owners == {name: service["team"] for name, service in sorted(SERVICES.items())}
    assert (rules.others, rules.approval, rules.look_first) == (["night"], settings.approval.timeout, "look")


@pytest.mark.parametrize(
    ("service", "alert_team", "key", "team"),
    [
        ("checkout", None, "k" * 32, "shop"),
        ("checkout", "night", "k" * 32, "night"),
        ("checkout", "unheard-of", "k" * 32, "shop"),
        (None, None, "k" * 32, "on-call"),
        ("checkout", None, None, None),
    ],
)
def test_the_rules_name_the_team_that_a_hand_off_pages(
    service: str | None, alert_team: str | None, key: str | None, team: str | None
) -> None:
    settings = build_settings(services=SERVICES, teams={"night": {}}, pagerduty={"routing_key": key} if key else {})
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g", team=alert_team)
    run_input = RunInput(text="x", service=service, origin=origin)
    assert page_rules(settings, run_input, incident_of(run_input), "look").on_call == team


@pytest.mark.parametrize(
    ("called", "hint"),
    [("chekout", "did you mean 'checkout'?"), ("x", "known: checkout, payments")],
)
def test_a_dependency_must_exist(called: str, hint: str) -> None:
    services = {"checkout": {"team": "a"}, "payments": {"team": "b", "depends_on": [called]}}
    with pytest.raises(ValidationError) as failed:
        build_settings(services=services)
    assert f"services.payments.depends_on: no service {called!r} in the catalogue; {hint}" in str(failed.value)


def test_the_incident_is_what_is_known_at_the_start() -> None:
    origin = AlertOrigin(source="p", kind="alertmanager", group="g", opened_key="k", surely_opened=True)
    run_input = RunInput(text="\n  Checkout fails \nmore", service="checkout", severity="warning", origin=origin)
    incident = incident_of(run_input, is_open=True, opened_number="INC-7")
    assert incident.model_dump(exclude_unset=True) == {
        "title": "Checkout fails",
        "service": "checkout",
        "severity": "warning",
        "opened_key": "k",
        "surely_opened": True,
        "is_open": True,
        "opened_number": "INC-7",
    }
    assert incident_of(RunInput(text="Why?")).model_dump(exclude_unset=True) == {"title": "Why?"}
