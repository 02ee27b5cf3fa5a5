"""docs/senders.md describes the ready-made senders correctly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.alert_requests import only, read, source
from tests.support.paths import DOCS
from watchkeeper.alerts.sender_tables import sender_kinds
from watchkeeper.config.settings import load_settings

DOC = (DOCS / "senders.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", DOC, re.M | re.S)


def test_every_sender_is_in_the_table() -> None:
    assert re.findall(r"^\| `(\w+)` \|", DOC, re.M)[1 : len(sender_kinds()) + 1] == sender_kinds()


def test_the_settings_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "watchkeeper.toml"
    path.write_text(blocks("toml")[0])
    monkeypatch.setenv("WATCHKEEPER_SOURCES__KUMA__TOKENS", "t")
    assert load_settings(path).sources["kuma"].kind == "uptime_kuma"


def test_the_request_body_of_healthchecks_is_accepted() -> None:
    (template,) = blocks("json")
    check = json.dumps({"name": "Settlement", "slug": "settlement", "tags": "service=checkout"})
    values = {"$CODE": "1", "$STATUS": "down", "$NOW": "2026-11-22T11:10:29+00:00", "$JSON": check}
    for name, value in values.items():
        template = template.replace(name, value)
    alert = only(read(source("healthchecks"), template.encode()))
    assert (alert.status, alert.title, alert.labels) == ("firing", "Settlement", {"service": "checkout"})


def test_all_link_targets_exist() -> None:
    targets = re.findall(r"\]\(((?!https?:)[^)#]+)", DOC)
    assert [target for target in targets if not (DOCS / target).exists()] == []
