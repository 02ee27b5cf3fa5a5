"""The input of a run that alerts start."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.settings import build_settings
from watchkeeper.alerts.registry import make_source
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert
from watchkeeper.runs.dispatch import alert_run_input

ALERT = Alert(source="prod", group="g", fingerprint="f", status="firing", title="Checkout fails", severity="critical")


def section(kind: str, **keys: Any) -> SourceSection:
    return SourceSection.model_validate({"kind": kind, "unauthenticated": True, **keys})


@pytest.mark.parametrize(
    ("kind", "joins", "key", "surely"),
    [
        ("pagerduty", None, "k", True),
        ("pagerduty", True, "k", True),
        ("pagerduty", False, None, False),
        ("alertmanager", None, "k", False),
        ("alertmanager", True, "k", True),
        ("alertmanager", False, None, False),
        ("grafana", None, "k", False),
    ],
)
def test_the_origin_names_the_incident_that_the_sender_opens(
    kind: str, joins: bool | None, key: str | None, surely: bool
) -> None:
    source = make_source("prod", section(kind, joins_pagerduty=joins))
    origin = alert_run_input(build_settings(), source, [ALERT], "k").origin
    assert origin is not None
    assert (origin.opened_key, origin.surely_opened) == (key, surely)
    assert "surely_opened" not in origin.model_fields_set or surely


@pytest.mark.parametrize(
    ("services", "service", "unknown"),
    [
        (["billing"], None, "billing"),
        (["billing", "checkout"], "checkout", None),
        ([None, "billing"], None, "billing"),
        ([None], None, None),
        (["checkout"], "checkout", None),
    ],
)
def test_the_origin_names_a_service_that_is_not_in_the_catalogue(
    services: list[str | None], service: str | None, unknown: str | None
) -> None:
    source = make_source("prod", section("alertmanager"))
    alerts = [ALERT.model_copy(update={"service": name}) for name in services]
    run_input = alert_run_input(build_settings(services={"checkout": {"team": "shop"}}), source, alerts)
    assert run_input.origin is not None
    assert (run_input.service, run_input.origin.unknown_service) == (service, unknown)
    assert "unknown_service" not in run_input.origin.model_fields_set or unknown


def test_without_a_key_nothing_is_joined() -> None:
    source = make_source("prod", section("alertmanager", joins_pagerduty=True))
    origin = alert_run_input(build_settings(), source, [ALERT]).origin
    assert origin is not None
    assert not {"opened_key", "surely_opened"} & origin.model_fields_set
