"""Find, start and stop Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from httpx2 import AsyncClient, HTTPError

from watchkeeper.temporal.ports import HOST

SECONDS = 30.0


def prometheus() -> str | None:
    """Return the path of Prometheus, if it is installed."""
    return shutil.which("prometheus")


def alertmanager() -> str | None:
    """Return the path of Alertmanager, if it is installed; Debian calls it ``prometheus-alertmanager``."""
    return shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")


def missing_programs() -> str | None:
    """Return a message about missing programs; None if both are installed."""
    missing = [name for name, path in (("prometheus", prometheus()), ("alertmanager", alertmanager())) if path is None]
    if not missing:
        return None
    return f"not installed: {', '.join(missing)} (Debian's packages prometheus and prometheus-alertmanager)"


@asynccontextmanager
async def program(path: str | None, port: int, directory: Path, *arguments: str) -> AsyncIterator[str]:
    """Run a program on a port until the context ends; yield its base URL when it is ready."""
    process = await start_program(path, port, directory, *arguments)
    try:
        yield f"http://{HOST}:{port}"
    finally:
        await end_program(process)


async def start_program(path: str | None, port: int, directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start a program on a port, and return when it is ready."""
    assert path is not None, missing_programs()
    log = directory / f"{Path(path).name}.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(path, *arguments, f"--web.listen-address={HOST}:{port}", "--log.level=warn"),
            cwd=directory,
            env={"GOMAXPROCS": "2"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        await _wait_until_ready(f"http://{HOST}:{port}/-/ready", process, log)
    except BaseException:
        await end_program(process)
        raise
    return process


async def end_program(process: asyncio.subprocess.Process) -> None:
    """End a program and wait for its end."""
    if process.returncode is None:
        process.terminate()
    await process.wait()


async def _wait_until_ready(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with AsyncClient(timeout=2) as http, asyncio.timeout(SECONDS):
        while not await _is_ready(http, url):
            assert process.returncode is None, f"the program ended, see {log}"
            await asyncio.sleep(0.05)


async def _is_ready(http: AsyncClient, url: str) -> bool:
    try:
        return (await http.get(url)).status_code == 200
    except HTTPError:
        return False
