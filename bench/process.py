"""Processes that answer questions: one JSON value a line, in and out; they end when their input does."""

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
PATIENCE = 60.0
LONGEST = 600.0
"""For a question that is answered when a run is over."""
_LINE = 2**24


class ProcessEnded(Exception):
    """A process of the benchmark ended before it was told to; the text holds the end of what it wrote."""


class Answering:
    """The asking side of a running process."""

    def __init__(self, process: Process, output: IO[bytes], name: str) -> None:
        self._process = process
        self._output = output
        self._name = name
        self._turn = asyncio.Lock()

    async def heard(self) -> Any:
        """Return the next value that the process says. Raises ProcessEnded."""
        assert self._process.stdout is not None
        async with asyncio.timeout(LONGEST):
            line = await self._process.stdout.readline()
        if not line:
            self._output.seek(0)
            raise ProcessEnded(f"{self._name} ended: {self._output.read()[-2_000:].decode(errors='replace')}")
        return json.loads(line)

    async def ask(self, *question: str) -> Any:
        """Ask one thing; questions are answered in the order in which they are asked. Raises ProcessEnded."""
        assert self._process.stdin is not None
        async with self._turn:
            self._process.stdin.write(f"{' '.join(question)}\n".encode())
            await self._process.stdin.drain()
            return await self.heard()

    async def kill(self) -> None:
        """End it as a lost machine would."""
        self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def spawned(module: str, *arguments: str) -> AsyncIterator[Answering]:
    """Run a module of this package."""
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
            yield Answering(process, output, " ".join((module, *arguments)))
        finally:
            assert process.stdin is not None
            process.stdin.close()  # which is an end, unless it was killed
            try:
                async with asyncio.timeout(PATIENCE):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def answer(ready: object, answers: Mapping[str, Callable[..., Any]]) -> None:
    """Be such a process: say that we are ready, then answer until the input ends."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w") as said:
        # What else writes to the output, such as the SDK's core its errors, is not an answer.
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        _say(said, ready)
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            what, *arguments = line.decode().split()
            answered = answers[what](*arguments)
            _say(said, await answered if isawaitable(answered) else answered)


def _say(to: IO[str], value: object) -> None:
    print(json.dumps(value), file=to, flush=True)
