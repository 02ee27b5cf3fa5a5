"""Start what a Compose file describes as processes of this machine, as Compose would start its containers.

Each service's command, environment, health check and dependencies are those of the file; only the places differ: its
names of hosts become loopback, its ports free ones, its volumes directories.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.composing import ROOT, is_one_shot
from watchkeeper.devserver import find_binary
from watchkeeper.ports import HOST, free_port

SECONDS = 45.0
"""For a service to be healthy, or to end where it is there to end."""

END_SECONDS = 20.0

WORKDIR, ENTRYPOINT = "/var/lib/watchkeeper", ["watchkeeper"]
"""Of our image; a test compares them with its Dockerfile."""


@dataclass
class Started:
    """A service that was started, and when it was what its dependants waited for."""

    process: asyncio.subprocess.Process
    log: Path
    began: float
    ready: float = 0.0

    def said(self) -> str:
        return self.log.read_text()


@dataclass
class Stack:
    """The services of a file, in a directory of their own."""

    config: Mapping[str, Any]
    directory: Path
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """What runs already, such as ``temporal:7233``, each with its port here."""
    started: dict[str, Started] = field(default_factory=dict)

    def __post_init__(self) -> None:
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "temporal").symlink_to(find_binary())
        for name, program in (("python", ""), ("watchkeeper", " -m watchkeeper.cli")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{program} "$@"\n')
            (programs / name).chmod(0o755)
        self.ports = {port: free_port() for port in sorted(self._ports())}
        for place, port in self.elsewhere.items():
            self.ports[int(place.rpartition(":")[2])] = port

    @property
    def services(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config["services"]
        return found

    def port(self, of_container: int) -> int:
        """Where a port of the file is to be found."""
        return self.ports[of_container]

    def environment(self, name: str) -> dict[str, str]:
        """The closed environment of a service."""
        given = self.services[name].get("environment") or {}
        return {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self._volume(name, "home")),
            **{key: self.here(name, value) for key, value in given.items()},
        }

    def here(self, name: str, text: str) -> str:
        """What a text of a service says of its surroundings, said of ours."""
        for target, place in self._mounts(name).items():
            text = re.sub(rf"{re.escape(target)}(?![\w-])", str(place), text)
        text = re.sub(rf"(?<![\w.-])(?:{self._hosts}|localhost)(?=:\d)", HOST, text).replace("0.0.0.0", HOST)
        return re.sub(r"\b\d{4,5}\b", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    async def up(self) -> None:
        """Start everything that waits for nothing, then what waited for it, and so on."""
        ready = {name: asyncio.Event() for name in self.services}

        async def start(name: str) -> None:
            for other in self.services[name].get("depends_on", {}):
                await ready[other].wait()
            await self._start(name)
            ready[name].set()

        async with asyncio.TaskGroup() as group:
            for name in self.services:
                group.create_task(start(name))

    async def down(self) -> dict[str, int]:
        """End everything by SIGTERM, what others wait for last; tell how each ended."""
        for name in reversed(self.started):
            process = self.started[name].process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), END_SECONDS)
        return {name: started.process.returncode or 0 for name, started in self.started.items()}

    async def kill(self) -> None:
        """Leave nothing behind."""
        for started in self.started.values():
            if started.process.returncode is None:
                os.killpg(started.process.pid, signal.SIGKILL)
                await started.process.wait()

    async def _start(self, name: str) -> None:
        service = self.services[name]
        command = [*(service["entrypoint"] or ENTRYPOINT), *(service["command"] or ())]
        program, *arguments = [self.here(name, part) for part in command]
        log = self.directory / f"{name}.log"
        environment = self.environment(name)
        with log.open("w") as out:
            process = await asyncio.create_subprocess_exec(
                *(shutil.which(program, path=environment["PATH"]) or program, *arguments),
                cwd=self._workdir(name),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        started = self.started[name] = Started(process, log, time.monotonic())
        async with asyncio.timeout(SECONDS):
            if is_one_shot(service):
                assert await process.wait() == 0, f"{name}: {started.said()}"
            else:
                await self._healthy(name)
        started.ready = time.monotonic()

    async def _healthy(self, name: str) -> None:
        while not await self.is_healthy(name):
            assert self.started[name].process.returncode is None, f"{name} ended: {self.started[name].said()}"
            await asyncio.sleep(0.3)

    async def is_healthy(self, name: str) -> bool:
        """What a service's own health check says."""
        kind, check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        shell = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", self.here(name, check)),
            cwd=self._workdir(name),
            env=self.environment(name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await shell.wait() == 0

    def _mounts(self, name: str) -> dict[str, Path]:
        """Where the volumes, the secrets and the files of settings of a service are."""
        service, files = self.services[name], self.config.get("configs", {})
        return {
            **{one["target"]: self._volume("volume", one["source"]) for one in service.get("volumes", ())},
            **{one["target"]: Path(files[one["source"]]["file"]) for one in service.get("configs", ())},
            **{
                str(Path(one["target"]).parent): self._secrets(one["source"]).parent
                for one in service.get("secrets", ())
            },
        }

    def _secrets(self, source: str) -> Path:
        return Path(self.config["secrets"][source]["file"])

    def _workdir(self, name: str) -> str:
        inside = self.here(name, WORKDIR)
        return str(self._volume(name, "workdir")) if inside == WORKDIR else inside

    def _volume(self, *place: str) -> Path:
        found = self.directory.joinpath("-".join(place))
        found.mkdir(exist_ok=True)
        return found

    def _ports(self) -> set[int]:
        """The ports that services listen on: those that are published, and those that others name."""
        published = {port["target"] for service in self.services.values() for port in service.get("ports", ())}
        return published | {int(port) for port in re.findall(rf"\b(?:{self._hosts}):(\d+)\b", str(self.services))}

    @property
    def _hosts(self) -> str:
        """A pattern of the names of hosts."""
        return "|".join(map(re.escape, (*self.services, *(place.partition(":")[0] for place in self.elsewhere))))


@asynccontextmanager
async def standing(
    config: Mapping[str, Any], directory: Path, elsewhere: Mapping[str, int] | None = None
) -> AsyncIterator[Stack]:
    """Start a file's services; what is left of them at the end is killed."""
    stack = Stack(config, directory, elsewhere or {})
    try:
        await stack.up()
        yield stack
    finally:
        await stack.kill()
