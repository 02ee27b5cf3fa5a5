"""The demo on a real engine: every container is killed in a run, and every run ends in its report."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.end_to_end.compose.compose_config import DEMO
from tests.end_to_end.containers.engine import START_SECONDS, Project, project, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

KILLED = ("world", "worker", "intake", "temporal")


@pytest.fixture(scope="module")
def demo(engine: dict[str, str], images: dict[str, str]) -> Iterator[Project]:
    with project(DEMO, "watchkeeper-demo-test", {**engine, **images}) as demo:
        demo.output("up", "--detach", seconds=START_SECONDS)
        yield demo


def run_of(text: str) -> str:
    found = re.search(r"/workflows/(\S+)", text)
    assert found, text
    return found[1]


def send_alert(demo: Project, *options: str) -> str:
    return demo.output("run", "--rm", "--no-deps", "-T", "alert", *options, seconds=120)


def wait_for_report(demo: Project, run: str) -> dict[str, object]:
    shown: dict[str, object] = {}

    def is_reported() -> bool:
        shown.update(demo.show(run))
        return bool(shown.get("report"))

    wait_until(is_reported, 180, f"no report of {run}")
    return shown


def test_the_first_alert_is_investigated(demo: Project) -> None:
    wait_until(lambda: "/workflows/" in demo.output("logs", "--no-color", "alert"), 180, "the alert was not sent")
    output = demo.output("logs", "--no-color", "alert")
    assert "checkout is failing; watch the investigation: " in output
    assert "v2.4.1" in str(wait_for_report(demo, run_of(output))["report"])
    again = send_alert(demo)
    assert "the alert adds nothing to its run" in again
    assert "--cluster" in again


@pytest.mark.parametrize("service", KILLED)
def test_a_run_survives_the_death_of_each_container(demo: Project, service: str) -> None:
    wait_until(demo.are_healthy, 120, "a container is not healthy")
    run = run_of(send_alert(demo, "--cluster", service))
    demo.kill_processes(service)
    shown = wait_for_report(demo, run)
    assert "v2.4.1" in str(shown["report"])
    calls = shown["tool_calls"]
    assert isinstance(calls, list)
    assert [call["name"] for call in calls].count("page_engineer") == 1


def test_the_end_of_the_alert_ends_its_run(demo: Project) -> None:
    run = run_of(send_alert(demo, "--resolve"))
    wait_until(lambda: demo.show(run).get("status") not in ("running", None), 60, "the run has not ended")


def test_the_services_stop_in_time(demo: Project) -> None:
    demo.output("stop", seconds=120)
    ended = {str(container["Service"]): container["ExitCode"] for container in demo.containers()}
    assert {ended[service] for service in ("world", "worker", "intake")} == {0}
