"""Run Icinga 2 with the command of ``examples/icinga2.conf``, and with checks whose results a test sets."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.paths import EXAMPLES

_CONFIGURATION = """
object IcingaApplication "app" {{ enable_flapping = false }}
object CheckerComponent "checker" {{}}
object NotificationComponent "notification" {{}}
object CheckCommand "file" {{ command = [ "/bin/sh", "{directory}/check.sh", "$result$" ] }}
template Host "checked" {{ check_command = "file" }}
object Host "web-1" {{
  check_command = "file", check_interval = 1, retry_interval = 1, max_check_attempts = 1
  vars.result = "{directory}/host", vars.team = "payments"
}}
object Service "checkout" {{
  host_name = "web-1", check_command = "file", check_interval = 1, retry_interval = 1, max_check_attempts = 1
  vars.result = "{directory}/service", vars.team = "payments", notes_url = "https://wiki.example.com/checkout"
}}
"""
_CHECK = 'cat "$1.text"; exit "$(cat "$1.code")"\n'


def icinga2() -> str | None:
    """Return the path of Icinga 2, if it is installed. The command on the path only wraps it, and outlives a signal."""
    found = sorted(Path("/usr/lib").glob("*/icinga2/sbin/icinga2"))
    return str(found[0]) if found and shutil.which("curl") else None


class Icinga:
    """A running Icinga 2 that checks one host and one service once a second."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name in ("host", "service"):
            self.set(name, 0, "fine")

    def set(self, name: str, code: int, text: str) -> None:
        """Set the next results of the check of ``host`` or ``service``."""
        (self._directory / f"{name}.text").write_text(text)
        (self._directory / f"{name}.code").write_text(str(code))


@asynccontextmanager
async def run_icinga(directory: Path, address: str, token: str) -> AsyncIterator[Icinga]:
    """Run Icinga 2 until the context ends. It posts to the address."""
    path = icinga2()
    assert path is not None, "icinga2 is not installed"
    icinga = Icinga(directory)
    (directory / "check.sh").write_text(_CHECK)
    (directory / "header").write_text(f"Authorization: Bearer {token}\n")
    example = (EXAMPLES / "icinga2.conf").read_text()
    for default, value in (
        ("https://watchkeeper.example.com/alerts/icinga", address),
        ("/etc/icinga2/watchkeeper.header", str(directory / "header")),
    ):
        assert default in example
        example = example.replace(default, value)
    configuration = directory / "icinga2.conf"
    configuration.write_text(_CONFIGURATION.format(directory=directory) + example)
    places = {
        name: directory / name for name in ("DataDir", "CacheDir", "LogDir", "InitRunDir", "SpoolDir", "ConfigDir")
    }
    for place in places.values():
        place.mkdir()
    defines = [f"{name}={place}" for name, place in places.items()]
    defines += [f"PidPath={directory}/pid", f"RunAsUser={getpass.getuser()}"]
    defines.append(f"RunAsGroup={grp.getgrgid(os.getgid()).gr_name}")
    with (directory / "icinga2.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(path, "--no-stack-rlimit", "daemon", "-c", str(configuration)),
            *(argument for define in defines for argument in ("-D", define)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield icinga
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the daemon has two processes, and its own session
        await process.wait()
