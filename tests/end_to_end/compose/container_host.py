"""Replace containers by this machine: loopback for host names, free ports for ports, directories for volumes."""

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
"""Working directory of our image; a test compares it with the Dockerfile."""


@dataclass
class ContainerHost:
    """The environment of all services of a Compose file."""

    config: Mapping[str, Any]
    directory: Path
    external_services: Mapping[str, int] = field(default_factory=dict)
    """Services that run already, such as ``temporal:7233``, with their ports on this machine."""

    def __post_init__(self) -> None:
        programs = self.directory / "bin"
        programs.mkdir()
        (programs / "temporal").symlink_to(find_binary())
        for name, program in (("python", ""), ("watchkeeper", " -m watchkeeper.cli.main")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{program} "$@"\n')
            (programs / name).chmod(0o755)
        self.ports = {port: free_port() for port in sorted(self._ports())}
        for place, port in self.external_services.items():
            self.ports[int(place.rpartition(":")[2])] = port

    @property
    def services(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.config["services"]
        return found

    def port(self, container_port: int) -> int:
        """Return the local port for a port of the file."""
        return self.ports[container_port]

    def environment(self, name: str) -> dict[str, str]:
        """Return the complete environment of a service."""
        variables = self.services[name].get("environment") or {}
        return {
            "PATH": f"{self.directory / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self._volume(name, "home")),
            **{key: self.localize(name, value) for key, value in variables.items()},
        }

    def localize(self, name: str, text: str) -> str:
        """Replace paths, host names and ports in a text of a service by local ones."""
        for target, place in self._mounts(name).items():
            text = re.sub(rf"{re.escape(target)}(?![\w-])", str(place), text)
        text = re.sub(rf"(?<![\w.-])(?:{self._hosts}|localhost)(?=:\d)", HOST, text).replace("0.0.0.0", HOST)
        return re.sub(r"\b\d{4,5}\b", lambda found: str(self.ports.get(int(found[0]), found[0])), text)

    def workdir(self, name: str) -> str:
        """Return the working directory of a service."""
        workdir = self.localize(name, WORKDIR)
        return str(self._volume(name, "workdir")) if workdir == WORKDIR else workdir

    def _mounts(self, name: str) -> dict[str, Path]:
        """Return local paths of the volumes, secrets and configuration files of a service."""
        service, files = self.services[name], self.config.get("configs", {})
        return {
            **{mount["target"]: self._volume("volume", mount["source"]) for mount in service.get("volumes", ())},
            **{mount["target"]: Path(files[mount["source"]]["file"]) for mount in service.get("configs", ())},
            **{
                str(Path(mount["target"]).parent): self._secrets(mount["source"]).parent
                for mount in service.get("secrets", ())
            },
        }

    def _secrets(self, source: str) -> Path:
        return Path(self.config["secrets"][source]["file"])

    def _volume(self, *place: str) -> Path:
        found = self.directory.joinpath("-".join(place))
        found.mkdir(exist_ok=True)
        return found

    def _ports(self) -> set[int]:
        """Return the ports of services: published ones, ones that other services name, ones in settings."""
        published = {port["target"] for service in self.services.values() for port in service.get("ports", ())}
        named = re.findall(rf"\b(?:{self._hosts}):(\d+)\b|_PORT': '(\d+)'", str(self.services))
        return published | {int(port) for found in named for port in found if port}

    @property
    def _hosts(self) -> str:
        """A pattern that matches host names."""
        return "|".join(
            map(re.escape, (*self.services, *(place.partition(":")[0] for place in self.external_services)))
        )
