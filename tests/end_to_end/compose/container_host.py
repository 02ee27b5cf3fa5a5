"""The surroundings of a container, on this machine: loopback for its hosts, free ports, directories for its volumes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from watchkeeper.temporal.dev_server import find_binary
from watchkeeper.temporal.ports import HOST, free_port

WORKDIR = "/var/lib/watchkeeper"
"""Of our image; a test compares it with its Dockerfile."""


@dataclass
class Surroundings:
    """Those of all services of a file."""

    config: Mapping[str, Any]
    directory: Path
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    """What runs already, such as ``temporal:7233``, each with its port here."""

    def __post_init__(self) -> None:
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "temporal").symlink_to(find_binary())
        for name, program in (("python", ""), ("watchkeeper", " -m watchkeeper.cli.main")):
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

    def workdir(self, name: str) -> str:
        """Where a service runs."""
        inside = self.here(name, WORKDIR)
        return str(self._volume(name, "workdir")) if inside == WORKDIR else inside

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

    def _volume(self, *place: str) -> Path:
        found = self.directory.joinpath("-".join(place))
        found.mkdir(exist_ok=True)
        return found

    def _ports(self) -> set[int]:
        """The ports that services listen on: those published, those that others name, those in settings."""
        published = {port["target"] for service in self.services.values() for port in service.get("ports", ())}
        named = re.findall(rf"\b(?:{self._hosts}):(\d+)\b|_PORT': '(\d+)'", str(self.services))
        return published | {int(port) for found in named for port in found if port}

    @property
    def _hosts(self) -> str:
        """A pattern of the names of hosts."""
        return "|".join(map(re.escape, (*self.services, *(place.partition(":")[0] for place in self.elsewhere))))
