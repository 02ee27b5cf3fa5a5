"""Alerts of equal groups are separated by the labels in ``split_by``."""

from __future__ import annotations

import json

import pytest

from tests.support.alert_requests import assert_fit, only, payload, read, source
from watchkeeper.alerts.group_split import split_groups
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.contracts import JsonObject


def with_labels(**labels: str) -> JsonObject:
    body: JsonObject = json.loads(payload("alertmanager-firing"))
    for alert in body["alerts"]:
        alert["labels"] |= labels
    return body


def of_cluster(**labels: str) -> ParsedPayload:
    return split_groups(read(source("alertmanager"), with_labels(**labels)), ["cluster", "region"])


def test_equal_groups_of_two_clusters_have_two_runs() -> None:
    payloads = [of_cluster(cluster=cluster) for cluster in ("eu-1", "us-1")]
    alerts = [only(parsed) for parsed in payloads]
    assert len({workflow_id(alert) for alert in alerts}) == 2
    for alert, parsed in zip(alerts, payloads, strict=True):
        assert_fit(alert)
        assert list(parsed.opened_keys) == [alert.group]


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        ({"cluster": "a"}, {"cluster": "a"}, True),
        ({"cluster": "a", "region": "b"}, {"cluster": "b", "region": "a"}, False),
        ({"cluster": "a"}, {"region": "a"}, False),
        ({"cluster": "a"}, {}, False),
        ({"cluster": "a\x1fb"}, {"cluster": "a", "region": "b"}, False),
        ({"cluster": "a" * 5_000}, {"cluster": "a" * 5_000, "region": "b"}, False),
    ],
)
def test_the_group_depends_on_every_label(first: dict[str, str], second: dict[str, str], equal: bool) -> None:
    assert (only(of_cluster(**first)).group == only(of_cluster(**second)).group) is equal


@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
def test_clusters_are_separated_by_default(kind: str) -> None:
    section = source(kind).section
    alerts = [
        only(split_groups(read(source(kind), with_labels(**labels)), section.split_by))
        for labels in (
            {"cluster": "eu-1"},
            {"cluster": "us-1"},
            {"cluster": "eu-1", "pod": "another"},
            {},
            {"cluster": ""},
        )
    ]
    europe, america, other_pod, without, empty = (workflow_id(alert) for alert in alerts)
    assert len({europe, america, without}) == 3
    assert (other_pod, empty) == (europe, without)


def test_the_grouping_of_the_sender_may_decide_alone() -> None:
    configured = source("alertmanager", split_by=[])
    groups = {
        only(split_groups(read(configured, with_labels(cluster=name)), configured.section.split_by)).group
        for name in ("eu-1", "us-1")
    }
    assert len(groups) == 1
    assert source("opsgenie", tokens=["t"]).section.split_by == source("generic").section.split_by == []


def test_an_alert_without_the_labels_keeps_its_group() -> None:
    unsplit = read(source("alertmanager"), payload("alertmanager-firing"))
    assert split_groups(unsplit, ["cluster"]) == unsplit
    assert split_groups(unsplit, []) is unsplit


def test_one_body_may_hold_alerts_of_several_clusters() -> None:
    body = json.loads(payload("alertmanager-firing"))
    (alert,) = body["alerts"]
    body["alerts"] = [{**alert, "labels": {**alert["labels"], "cluster": name}} for name in ("eu-1", "us-1")]
    parsed = split_groups(read(source("alertmanager"), body), ["cluster"])
    groups = [alert.group for alert in parsed.alerts]
    assert len(set(groups)) == 2
    assert parsed.opened_keys.keys() == set(groups)
    assert len(set(parsed.opened_keys.values())) == 1
