"""What the embedded Temporal server serves: a web page of another host reads and starts nothing through it."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from httpx2 import AsyncClient, HTTPError

from watchkeeper.cli.temporal_ui import guarded_ui
from watchkeeper.temporal.dev_server import DevServer, dev_server
from watchkeeper.temporal.ports import free_port

START = "/api/v1/namespaces/default/workflows/started-by-a-page"
STRANGE = ({"host": "evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"})
BODY = json.dumps(
    {"workflowType": {"name": "IncidentWorkflow"}, "taskQueue": {"name": "watchkeeper"}, "requestId": "a"}
)


def listening(pid: int) -> Iterator[str]:
    """Yield the addresses at which a process listens."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    inodes = {found[1] for name in sockets if (found := re.fullmatch(r"socket:\[(\d+)\]", name))}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_, inode = line.split()[:10]
        if state == "0A" and inode in inodes:
            host, port = bytes.fromhex(local[:8])[::-1], int(local[9:], 16)
            yield f"{'.'.join(map(str, host))}:{port}"


def modes(directory: Path) -> dict[str, int]:
    """Return the permissions of each file in a directory."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.iterdir()}


async def statuses(server: DevServer, headers: dict[str, str], method: str = "POST") -> list[int]:
    """Send a request that a browser sends without asking to every port of the server. Return the statuses."""
    found: list[int] = []
    async with AsyncClient(timeout=5, trust_env=False) as http:
        for address in listening(server.pid):
            sent = {"content-type": "text/plain", **headers}
            try:
                answer = await http.request(method, f"http://{address}{START}", content=BODY, headers=sent)
            except HTTPError:  # it speaks gRPC only
                continue
            found.append(answer.status_code)
    return found


async def test_a_page_starts_no_run_through_any_port(tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    chosen = free_port()
    async with dev_server(port=free_port(), ui_port=chosen, database=database, ui_guard=guarded_ui) as server:
        assert f"127.0.0.1:{chosen}" not in [*listening(server.pid)]
        for headers in ({}, *STRANGE):
            answered = await statuses(server, headers)
            assert len(answered) >= 2
            assert min(answered) >= 400, answered
        assert (await server.client.count_workflows()).count == 0
        async with AsyncClient(base_url=server.ui, timeout=20) as http:
            page = await http.get("/")
            async with asyncio.timeout(30):  # a server that has just started answers 503 for a moment
                while (listed := await http.get("/api/v1/namespaces/default/workflows?query=")).status_code == 503:
                    await asyncio.sleep(0.1)
            settings = await http.get("/api/v1/settings", headers={"host": f"localhost:{chosen}"})
            for headers in STRANGE:
                for method, path in (("GET", "/"), ("GET", "/api/v1/namespaces/default/workflows"), ("POST", START)):
                    refused = await http.request(method, path, headers=headers)
                    assert (refused.status_code, headers) == (403, headers)
        files = modes(tmp_path)
    assert page.status_code in (200, 302)
    assert (listed.status_code, settings.status_code) == (200, 200)
    assert "runs.db-wal" in files
    assert set(files.values()) == {0o600}
