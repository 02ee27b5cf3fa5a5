"""Child processes that answer questions, one JSON value per line. They end when their input ends."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 60.0
RUN_TIMEOUT_SECONDS = 1_800.0
"""For a question that is answered at the end of a run."""
_LINE = 2**24


class ProcessEnded(Exception):
    """A process of the benchmark ended unexpectedly; the text holds the end of its output."""


class ChildProcess:
    """The parent's side of a child process."""

    def __init__(self, process: Process, output: IO[bytes], name: str) -> None:
        self._process = process
        self._output = output
        self._name = name
        self._turn = asyncio.Lock()

    async def receive(self) -> Any:
        """Return the next value that the process writes. Raises ProcessEnded."""
        assert self._process.stdout is not None
        async with asyncio.timeout(RUN_TIMEOUT_SECONDS):
            line = await self._process.stdout.readline()
        if not line:
            self._output.seek(0)
            raise ProcessEnded(f"{self._name} ended: {self._output.read()[-2_000:].decode(errors='replace')}")
        return json.loads(line)

    async def ask(self, *question: str) -> Any:
        """Ask one question; questions are answered in order. Raises ProcessEnded."""
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(f"{' '.join(question)}\n".encode())
            await self._process.stdin.drain()
            return await self.receive()

    async def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def spawn(module: str, *arguments: str) -> AsyncIterator[ChildProcess]:
    """Run a module of this package as a child process."""
    with TemporaryFile() as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"bench.{module}", *arguments),
            stdin=PIPE,
            stdout=PIPE,
            stderr=output,
            cwd=ROOT,
            limit=_LINE,
        )
        try:
            yield ChildProcess(process, output, " ".join((module, *arguments)))
        finally:
            assert process.stdin is not None
            process.stdin.close()  # the process then ends, unless it was killed
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def answer(ready: object, answers: Mapping[str, Callable[..., Any]]) -> None:
    """Run the child's side: write ``ready``, then answer questions until the input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as output:
        # Other output, such as errors of the SDK's core, must not mix with the answers.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _write(output, ready)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            name, *arguments = line.decode().split()
            answered = answers[name](*arguments)
            _write(output, await answered if isawaitable(answered) else answered)


def _write(to: IO[str], value: object) -> None:
    print(json.dumps(value), file=to, flush=True)
