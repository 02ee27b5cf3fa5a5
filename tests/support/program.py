"""The `watchkeeper` program as people run it: a separate process in a separate directory."""

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
        """Return what the program printed on stderr, which must be one sentence."""
        assert "Traceback" not in self.err + self.out, self.err
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("watchkeeper: ")
        return lines[0]


@dataclass
class Program:
    """Starts the program in a directory. Only these environment variables are set."""

    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_environment(self) -> dict[str, str]:
        """The environment of the program."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.directory),
            "USER": "ada",
            "LOGNAME": "ada",
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }

    async def begin(self, *arguments: str, **environment: str) -> Running:
        """Start the program, with additional environment variables."""
        return await self._begin(("-m", "watchkeeper.cli.main", *arguments), environment)

    async def begin_python(self, *arguments: str, **environment: str) -> Running:
        """Start the interpreter instead of the program."""
        return await self._begin(arguments, environment)

    async def python(self, *arguments: str, **environment: str) -> Ended:
        """Run the interpreter instead of the program, to its end."""
        return await (await self.begin_python(*arguments, **environment)).end()

    async def _begin(self, arguments: tuple[str, ...], environment: Mapping[str, str]) -> Running:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            cwd=self.directory,
            env={**self.full_environment, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return Running(process)

    async def __call__(self, *arguments: str, **environment: str) -> Ended:
        """Run the program to its end."""
        return await (await self.begin(*arguments, **environment)).end()


class Running:
    """A running process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._output = {"out": "", "err": ""}
        assert process.stdout and process.stderr
        self._readers = [
            asyncio.create_task(self._read(process.stdout, "out")),
            asyncio.create_task(self._read(process.stderr, "err")),
        ]

    async def _read(self, stream: asyncio.StreamReader, name: str) -> None:
        while chunk := await stream.read(65_536):
            self._output[name] += chunk.decode()

    async def says(self, *texts: str) -> str:
        """Wait until stdout or stderr contains all of the texts; return all output so far."""
        async with asyncio.timeout(SECONDS):
            while True:
                output = self._output["out"] + self._output["err"]
                if all(text in output for text in texts):
                    return output
                assert not all(reader.done() for reader in self._readers), (
                    f"the process ended without {texts}: {output}"
                )
                await asyncio.sleep(0.05)

    def send(self, name: signal.Signals) -> None:
        """Send a signal to this process only."""
        self.process.send_signal(name)

    async def end(self) -> Ended:
        """Wait for the end of the process."""
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*self._readers)
            code = await self.process.wait()
        return Ended(code, self._output["out"], self._output["err"])
