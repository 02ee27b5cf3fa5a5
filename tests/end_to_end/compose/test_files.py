"""Properties of the Compose files, checked on the output of the real Compose."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.end_to_end.compose.compose_config import DEMO, PRODUCTION, REQUIRED, compose, config, is_one_shot
from tests.support.paths import ROOT
from watchkeeper.config.sections import WorkerSettings
from watchkeeper.config.settings import env_variable, load_settings
from watchkeeper.temporal.dev_server import TUNING

FILES = [pytest.param(DEMO, {}, id="demo"), pytest.param(PRODUCTION, REQUIRED, id="production")]
each_file = pytest.mark.parametrize(("file", "variables"), FILES)

_SECRET_NAME = re.compile(r"(TOKENS?|KEY|SECRETS?|PASSWORD|PWD|PASSWD|CREDENTIALS?)(__\w+)?$", re.IGNORECASE)
_SECRET_VALUE = re.compile(r"\b(xox[a-z]-|gh[pousr]_|sk-|whsec_|AKIA|Bearer )|[0-9a-f]{20,}|://[^/\s:@]+:[^/\s@]+@")


def services(file: str, variables: dict[str, str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = config(file, **variables)["services"]
    return found


def test_the_demo_needs_no_variable() -> None:
    assert set(services(DEMO, {})) == {"temporal", "world", "worker", "intake", "alert"}


def test_production_keeps_its_runs_in_postgresql() -> None:
    assert set(services(PRODUCTION, REQUIRED)) == {
        *("secrets", "postgres", "temporal-schema", "temporal", "temporal-namespace", "temporal-ui"),
        *("worker", "intake"),
    }


@pytest.mark.parametrize("name", REQUIRED)
def test_compose_names_a_missing_variable_of_production(name: str) -> None:
    variables = {other: value for other, value in REQUIRED.items() if other != name}
    output = compose(PRODUCTION, "config", **variables)
    assert output.code != 0
    assert f"required variable {name} is missing a value: the " in output.err


def test_the_example_file_sets_all_variables_of_production() -> None:
    output = compose(PRODUCTION, "--env-file", str(ROOT / "examples" / "production.env"), "config", "--quiet")
    assert (output.code, output.out, output.err) == (0, "", "")


@each_file
def test_the_example_and_the_files_have_the_same_variables(file: str, variables: dict[str, str]) -> None:
    known = set(re.findall(r"(?<!\$)\$\{(\w+)", (ROOT / file).read_text()))
    example = (ROOT / "examples" / "production.env").read_text()
    named = set(re.findall(r"^(\w+)=", example, re.MULTILINE))
    if file == PRODUCTION:
        assert named <= known
        assert known - named == {
            *("POSTGRES_IMAGE", "TEMPORAL_TOOLS_IMAGE", "TEMPORAL_SERVER_IMAGE", "TEMPORAL_UI_IMAGE"),
            *("TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_SHARDS"),
        }
    else:
        assert known == {
            *("WATCHKEEPER_IMAGE", "PYTHON_IMAGE", "TEMPORAL_IMAGE"),
            *("INTAKE_PORT", "TEMPORAL_PORT", "TEMPORAL_UI_PORT"),
        }


@each_file
def test_every_image_can_be_replaced(file: str, variables: dict[str, str]) -> None:
    written = yaml.safe_load((ROOT / file).read_text())["services"]
    images = {service["image"] for service in written.values()}
    assert len(images) > 1
    for image in images:
        name = re.match(r"\$\{(\w+):[-?]", image)
        assert name, image
        others = {**variables, name[1]: "registry.example.com/another:9"}
        assert "registry.example.com/another:9" in {s["image"] for s in services(file, others).values()}


def test_one_service_of_the_demo_builds_the_image_and_the_others_wait_for_it() -> None:
    found = services(DEMO, {"PYTHON_IMAGE": "registry.example.com/python:3"})
    (builder,) = (name for name, service in found.items() if "build" in service)
    assert found[builder]["build"]["args"]["PYTHON_IMAGE"] == "registry.example.com/python:3"
    sharing = {name for name, service in found.items() if service["image"] == found[builder]["image"]} - {builder}
    assert sharing == {"worker", "intake", "alert"}
    assert {found[name]["pull_policy"] for name in sharing} == {"never"}
    assert found[builder]["pull_policy"] == "build"
    for name in sharing:
        assert builder in _dependencies(found, name)


def _dependencies(found: dict[str, dict[str, Any]], name: str) -> set[str]:
    """Return the services that Compose starts, and so builds, before another."""
    waits = set(found[name].get("depends_on", {}))
    return waits.union(*(_dependencies(found, other) for other in waits))


def test_production_builds_no_image() -> None:
    assert [name for name, service in services(PRODUCTION, REQUIRED).items() if "build" in service] == []


@each_file
def test_every_long_running_service_has_a_health_check(file: str, variables: dict[str, str]) -> None:
    for name, service in services(file, variables).items():
        check = service["healthcheck"]
        if is_one_shot(service):
            assert check == {"disable": True}, name
        else:
            assert check["test"][0] == "CMD-SHELL", name
            assert {"interval", "timeout", "retries", "start_period"} <= set(check), name


@each_file
def test_every_service_has_least_privileges(file: str, variables: dict[str, str]) -> None:
    for name, service in services(file, variables).items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*|postgres", service["user"]), name
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert int(service["mem_limit"]) <= 2 * 2**30, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert service["restart"] in ("unless-stopped", "on-failure:5"), name
        assert not {"privileged", "cap_add", "network_mode", "pid"} & set(service), name


@each_file
def test_ports_are_published_on_loopback_only(file: str, variables: dict[str, str]) -> None:
    ports = [port for service in services(file, variables).values() for port in service.get("ports", ())]
    assert {port["target"] for port in ports} >= {7233, 8080}
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


@each_file
def test_services_wait_for_conditions_that_can_become_true(file: str, variables: dict[str, str]) -> None:
    found = services(file, variables)
    waits = {name: service.get("depends_on", {}) for name, service in found.items()}
    assert list(TopologicalSorter(waits).static_order())
    for name, dependencies in waits.items():
        for other, how in dependencies.items():
            condition = "service_completed_successfully" if is_one_shot(found[other]) else "service_healthy"
            assert how["condition"] == condition, (name, other)
    assert waits["worker"]
    assert waits["intake"]


@each_file
def test_no_file_holds_a_secret(file: str, variables: dict[str, str]) -> None:
    for name, service in services(file, variables).items():
        for key, value in (service.get("environment") or {}).items():
            named = _SECRET_NAME.search(key) and not key.endswith("_FILE")
            assert not (named and value), f"{name}: {key}"
    for text in ((ROOT / file).read_text(), (ROOT / "Dockerfile").read_text()):
        assert not _SECRET_VALUE.search(text)
    assert not _SECRET_VALUE.search((ROOT / "examples" / "production.env").read_text())


@each_file
def test_read_only_services_mount_only_files_of_this_machine(file: str, variables: dict[str, str]) -> None:
    """Compose writes the content of an inline file into the container, and refuses that if it is read-only."""
    found = config(file, **variables)
    for kind in ("configs", "secrets"):
        assert all("file" in source for source in found.get(kind, {}).values()), kind


def test_nothing_of_production_starts_before_its_secrets_are_there() -> None:
    found = services(PRODUCTION, REQUIRED)
    for name in found.keys() - {"secrets"}:
        assert "secrets" in _dependencies(found, name), name


def test_production_reads_every_secret_from_a_file_of_its_name() -> None:
    found = config(PRODUCTION, **REQUIRED)
    for name, secret in found["secrets"].items():
        assert secret["file"] == f"{REQUIRED['WATCHKEEPER_SECRETS']}/{name}"
    assert {secret["source"] for secret in found["services"]["secrets"]["secrets"]} == set(found["secrets"])
    shared = {secret["source"] for secret in found["services"]["worker"]["secrets"]}
    assert shared == set(found["secrets"]) - {"postgres_password"}
    assert shared == {
        env_variable("model", "api_key"),
        env_variable("pagerduty", "routing_key"),
        env_variable("intake", "tokens", "operator"),
        env_variable("sources", "prometheus", "tokens"),
    }


def test_the_example_settings_need_exactly_the_shared_secrets_of_production(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = config(PRODUCTION, **REQUIRED)["services"]["intake"]
    for secret in found["secrets"]:
        (tmp_path / secret["source"]).write_text("0123456789abcdef0123456789abcdef\n")
    for name, value in found["environment"].items():
        if name.startswith("WATCHKEEPER_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("WATCHKEEPER_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("WATCHKEEPER_CONFIG", str(ROOT / "examples" / "production.toml"))
    settings = load_settings()
    assert settings.model.api_key and settings.pages_anybody
    assert list(settings.intake.tokens) == ["operator"]
    assert settings.sources["prometheus"].proofs
    assert (settings.intake.host, settings.intake.port) == ("0.0.0.0", 8080)


@each_file
def test_a_worker_has_enough_time_to_drain(file: str, variables: dict[str, str]) -> None:
    worker = services(file, variables)["worker"]
    minutes, seconds = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", worker["stop_grace_period"]).groups("0")  # type: ignore[union-attr]
    assert int(minutes) * 60 + int(seconds) > WorkerSettings().shutdown_seconds


def test_the_server_of_the_demo_has_the_tuning_of_the_dev_server() -> None:
    tuning = [f"{option}={value}" for option, value in zip(TUNING[::2], TUNING[1::2], strict=True)]
    assert [option for option in services(DEMO, {})["temporal"]["command"] if option in tuning] == tuning


def test_the_number_of_workers_can_be_set() -> None:
    assert services(PRODUCTION, {**REQUIRED, "WATCHKEEPER_WORKERS": "7"})["worker"]["scale"] == 7
    assert not {"ports", "volumes", "container_name"} & set(services(PRODUCTION, REQUIRED)["worker"])
