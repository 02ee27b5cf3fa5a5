"""The `watchkeeper` program as people run it: a process of its own, in a directory of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import ROOT

SECONDS = 60.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    def sentence(self) -> str:
        """What was said to the person, which must be one clear sentence."""
        assert "Traceback" not in self.err + self.out, self.err
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("watchkeeper: ")
        return lines[0]


@dataclass
class Program:
    """How to run it; the environment is closed: nothing of ours gets in."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def surroundings(self) -> dict[str, str]:
        """Its environment."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "USER": "ada",
            "LOGNAME": "ada",
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }

    async def begin(self, *arguments: str, **environment: str) -> Running:
        """Start it; environment variables may be added."""
        return await self._begin(("-m", "watchkeeper.cli.main", *arguments), environment)

    async def python(self, *arguments: str, **environment: str) -> Ended:
        """Run the interpreter in the program's place."""
        return await (await self._begin(arguments, environment)).end()

    async def _begin(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Running:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            cwd=self.directory,
            env={**self.surroundings, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Running(process)

    async def __call__(self, *arguments: str, **environment: str) -> Ended:
        """Run it to its end."""
        return await (await self.begin(*arguments, **environment)).end()


class Running:
    """A process that goes on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._said = {"out": "", "err": ""}
        assert process.stdout and process.stderr
        self._readers = [
            asyncio.create_task(self._read(process.stdout, "out")),
            asyncio.create_task(self._read(process.stderr, "err")),
        ]

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while chunk := await stream.read(65_536):
            self._said[name] += chunk.decode()

    async def says(self, *wanted: str) -> str:
        """Wait until stdout or stderr holds some texts; returns all that was said so far."""
        async with asyncio.timeout(SECONDS):
            while True:
                said = self._said["out"] + self._said["err"]
                if all(text in said for text in wanted):
                    return said
                assert not all(reader.done() for reader in self._readers), f"it ended without {wanted}: {said}"
                await asyncio.sleep(0.05)

    def send(self, name: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(name)

    async def end(self) -> Ended:
        """Wait for its end."""
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*self._readers)
            code = await self.process.wait()
        return Ended(code, self._said["out"], self._said["err"])
