"""The simulated back ends and the scripted model as one process, for the demo in containers. Each has its own path."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.config.settings import env_variable
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.demo.world import World
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.scripted_model import ScriptedModel

PACE = 0.7
"""Seconds that the scripted model takes to answer, so that people can follow it."""

SOURCE = "alertmanager"
"""The source whose alerts the demo sends: ``POST /alerts/alertmanager``."""

MODEL_KEY = env_variable("model", "api_key")
PROGRAM_TOKEN = env_variable("intake", "tokens", "demo")
SOURCE_TOKEN = env_variable("sources", SOURCE, "tokens")


async def serve_demo(host: str, port: int, directory: Path) -> None:
    """Serve the back ends and the scripted model until SIGTERM or SIGINT, and write their secrets to ``directory``.

    Raises OSError if the port is in use or the directory cannot be written.
    """
    world = World()
    key = share_secrets(directory, world)[MODEL_KEY]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with serve(standalone_app(world, ScriptedModel(on_call_engineer, key=key, pace=PACE)), port, host):
        await ended.wait()


def standalone_app(world: World, model: ScriptedModel) -> Starlette:
    """Return the app that serves all back ends, the model and ``/healthz``."""
    return Starlette(
        routes=[
            Route("/healthz", _healthz),
            _mount("/prometheus", world.prometheus),
            _mount("/loki", world.loki),
            _mount("/github", world.github),
            _mount("/argocd", world.argocd),
            _mount("/pagerduty-events", world.pagerduty_events),
            _mount("/pagerduty", world.pagerduty_api),
            _mount("/model", model.host()),
        ]
    )


def _mount(path: str, app: ASGIApp) -> Mount:
    """Mount an app so that the links in its responses include the path."""

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "app_root_path": scope["root_path"]}, receive, send)

    return Mount(path, mounted)


def share_secrets(directory: Path, world: World) -> Mapping[str, str]:
    """Write the secrets of the other processes, one file each, in the format that WATCHKEEPER_SECRETS_DIR reads.

    Random secrets are kept from an earlier start: the other processes must still be accepted after a restart.
    """
    random = {name: _read_or_create(directory / name) for name in (MODEL_KEY, PROGRAM_TOKEN, SOURCE_TOKEN)}
    shared = {
        env_variable("github", "token"): world.github_token,
        env_variable("argocd", "token"): world.argocd_token,
        env_variable("pagerduty", "api_token"): world.pagerduty_token,
        **{env_variable("teams", team, "routing_key"): key for team, key in world.routing_keys.items()},
        **random,
    }
    for name, secret in shared.items():
        file = directory / name
        file.touch(mode=0o600)
        file.write_text(secret, encoding="utf-8")
    return shared


def _read_or_create(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else secrets.token_hex(16)


async def _healthz(request: Request) -> Response:
    return JSONResponse({"alive": True})
