"""docs/alerts.md describes the alert sources correctly."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.alert_requests import only, read, source
from tests.support.paths import DOCS
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.mapped_json import FieldPaths
from watchkeeper.alerts.registry import source_class, source_kinds
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.config.sections import EpisodeSettings, WatchdogSettings
from watchkeeper.config.settings import Settings, load_settings

DOC = (DOCS / "alerts.md").read_text()
SECTIONS = {
    title.lower().replace(" ", "_"): text for title, text in re.findall(r"^## (.+)\n((?:(?!^## ).*\n)*)", DOC, re.M)
}
SECRETS = re.findall(r"WATCHKEEPER_SOURCES__\w+__(?:SECRETS|TOKENS)", DOC)


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.M | re.S)


def settings(block: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Load the settings of a block, with secrets in the variables that the page names."""
    path = directory / "watchkeeper.toml"
    path.write_text(block)
    with monkeypatch.context() as environment:
        for name in SECRETS:
            if f"[sources.{name.split('__')[1].lower()}]" in block:
                environment.setenv(name, "whsec_c2VjcmV0")
        return load_settings(path)


@pytest.mark.parametrize("kind", source_kinds())
def test_every_kind_has_a_section_whose_settings_are_valid(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks(SECTIONS[kind], "toml")
    shown = settings(block, tmp_path, monkeypatch).sources
    assert {section.kind for section in shown.values()} == {kind}


def test_common_settings_are_valid_and_have_the_stated_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common, processes = blocks(SECTIONS["every_source"], "toml")
    prod = settings(common, tmp_path, monkeypatch).sources["prod"]
    assert prod.severities == SourceSection.model_fields["severities"].default
    shown = settings(processes, tmp_path, monkeypatch)
    assert shown.episodes == EpisodeSettings()
    assert shown.intake.patience == Settings().intake.patience
    assert shown.watchdog.outage == WatchdogSettings().outage


@pytest.mark.parametrize("kind", source_kinds())
def test_every_option_is_explained(kind: str) -> None:
    options = set(source_class(kind).Section.model_fields)
    if "fields" in options:
        options |= set(FieldPaths.model_fields)
    explained = DOC if kind in ("standard_webhooks", "generic") else SECTIONS["every_source"] + SECTIONS[kind]
    own = options - set(SourceSection.model_fields)
    assert [name for name in sorted(options - own) if f"`{name}`" not in DOC] == []
    assert [name for name in sorted(own) if not re.search(rf"`{name}`|^{name} = |\.{name}\]", explained, re.M)] == []


def test_every_option_of_episodes_and_of_the_watchdog_is_explained() -> None:
    section = SECTIONS["every_source"]
    assert [name for name in EpisodeSettings.model_fields if f"`episodes.{name}`" not in section] == []
    assert [name for name in WatchdogSettings.model_fields if f"`watchdog.{name}`" not in section] == []


@pytest.mark.parametrize("kind", source_kinds())
def test_every_section_answers_the_same_questions(kind: str) -> None:
    questions = ["Authentication", "Starts a run", "Same incident", "Same firing", "Retries", "Limits"]
    section = SECTIONS[kind].lower()
    assert [question for question in questions if f"**{question.lower()}" not in section] == []
    assert re.search(r"^1\. ", SECTIONS[kind], re.M), "the steps on the side of the sender are missing"


def test_the_datadog_payload_is_accepted() -> None:
    (template,) = blocks(SECTIONS["datadog"], "json")
    values = {
        "$ALERT_ID": "1234",
        "$ALERT_SCOPE": "service:checkout",
        "$ALERT_CYCLE_KEY": "77",
        "$ALERT_TRANSITION": "Triggered",
        "$ALERT_TYPE": "error",
        "$ALERT_PRIORITY": "P1",
        "$EVENT_TITLE": "Errors",
        "$EVENT_MSG": "16 % fail",
        "$TAGS": "service:checkout,team:payments",
        "$LINK": "https://app.datadoghq.com/event/1",
    }
    body = {name: values.get(variable, variable) for name, variable in json.loads(template).items()}
    datadog = source("datadog")
    fired = only(read(datadog, body))
    assert (fired.title, fired.description, fired.severity) == ("Errors", "16 % fail", "critical")
    assert (fired.service, fired.team, fired.episode) == ("checkout", "payments", "77")
    assert fired.links == {"event": "https://app.datadoghq.com/event/1"}
    assert reason_not_to_start(fired, datadog.section) is None
    over = only(read(datadog, {**body, "alert_transition": "Recovered"}))
    assert (over.status, workflow_id(over)) == ("resolved", workflow_id(fired))


def test_the_incident_io_map_reads_an_incident_until_it_is_resolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks(SECTIONS["standard_webhooks"], "toml")
    section = settings(block, tmp_path, monkeypatch).sources["incident_io"]
    mapped = source_class("standard_webhooks")("incident_io", section)
    created, updated = "public_incident.incident_created_v2", "public_incident.incident_status_updated_v2"
    incident = {"id": "01F", "name": "Checkout fails", "severity": {"name": "Major"}}
    fired = only(read(mapped, {"event_type": created, created: incident}))
    assert (fired.title, fired.severity, fired.status) == ("Checkout fails", "error", "firing")

    def update(category: str) -> dict[str, object]:
        return {"event_type": updated, updated: {"incident": incident, "new_status": {"category": category}}}

    assert read(mapped, update("active")).ignored == ["its status is neither firing nor resolved"]
    over = only(read(mapped, update("closed")))
    assert (over.status, workflow_id(over)) == ("resolved", workflow_id(fired))


def test_all_link_targets_exist() -> None:
    targets = re.findall(r"\]\(((?!https?:)[^)]+)\)", DOC)
    anchors = {f"#{title.lower().replace(' ', '-')}" for title in re.findall(r"^#+ (.+)$", DOC, re.M)}
    root = DOCS
    assert [to for to in targets if to not in anchors and not (root / to).exists()] == []
