from datetime import UTC, datetime

import pytest

from watchkeeper.demo.log_generator import RETENTION, generate_lines
from watchkeeper.demo.scenario import Scenario, utc_text

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC).timestamp()


def test_the_incident_begins_shortly_before_the_demo() -> None:
    scenario = Scenario(NOON)
    assert scenario.started_at - scenario.deployed_at == 14 * 60 + 30
    assert scenario.failing_since - scenario.deployed_at == 12 * 60 + 7
    assert utc_text(scenario.failing_since) == "2026-03-01T11:58:07Z"


def test_only_checkout_fails_and_only_until_the_rollback() -> None:
    scenario = Scenario(NOON)
    since = scenario.failing_since
    assert scenario.traffic("checkout", since - 1).error_ratio == 0.002
    assert scenario.traffic("checkout", since).error_ratio == 0.182
    assert scenario.traffic("payments", since).error_ratio == 0.002
    scenario.recover()
    assert scenario.ended_at is not None
    assert scenario.traffic("checkout", scenario.ended_at - 1).error_ratio == 0.182
    assert scenario.traffic("checkout", scenario.ended_at).error_ratio == 0.002
    assert [release.version for release in scenario.releases("checkout")] == ["v2.4.0", "v2.4.1", "v2.4.0"]


def test_a_line_is_the_same_in_every_window() -> None:
    scenario = Scenario(NOON)
    whole = generate_lines(scenario, "checkout", NOON - 1800, NOON)
    halves = generate_lines(scenario, "checkout", NOON - 1800, NOON - 61.5) + generate_lines(
        scenario, "checkout", NOON - 61.5, NOON
    )
    assert whole == halves
    assert whole == sorted(whole, key=lambda line: line.at)
    assert len({line.text for line in whole}) == len(whole)


def test_the_exceptions_begin_with_the_incident_and_name_their_release() -> None:
    scenario = Scenario(NOON)
    errors = [
        line for line in generate_lines(scenario, "checkout", NOON - 3600, NOON) if "NullPointerException" in line.text
    ]
    assert 200 <= len(errors) <= 500
    assert all("CheckoutController.applyPromo" in line.text and "v2.4.1" in line.text for line in errors)
    assert errors[0].text.startswith("2026-03-01T11:58:07")
    assert errors[0].at / 1e9 == pytest.approx(datetime.fromisoformat(errors[0].text.split()[0]).timestamp(), abs=1e-3)
    for service in ("payments", "search"):
        assert not any("Exception" in line.text for line in generate_lines(scenario, service, NOON - 3600, NOON))


def test_lines_name_the_version_that_was_live() -> None:
    scenario = Scenario(NOON)
    around = generate_lines(scenario, "checkout", scenario.deployed_at - 60, scenario.deployed_at + 60)
    versions = [line.text.split()[3] for line in around]
    assert versions == sorted(versions)
    assert set(versions) == {"v2.4.0", "v2.4.1"}


def test_after_the_recovery_no_order_fails() -> None:
    scenario = Scenario(NOON)
    scenario.ended_at = scenario.failing_since + 30
    errors = [line for line in generate_lines(scenario, "checkout", NOON - 3600, NOON) if line.level == "error"]
    assert 60 <= len(errors) <= 80
    assert errors[-1].at / 1e9 < scenario.ended_at


def test_there_are_no_logs_from_before_the_retention() -> None:
    scenario = Scenario(NOON)
    oldest = generate_lines(scenario, "search", 0, NOON)[0].at / 1e9
    assert NOON - RETENTION <= oldest < NOON - RETENTION + 10
