"""The simulated world as a process of its own, for a demo whose parts are containers: one port, a path a back end."""

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
    """Serve the world and the scripted model until SIGTERM or SIGINT; their secrets stand in ``directory``.

    Raises OSError where the port is taken or the directory cannot be written to.
    """
    world = World()
    key = share_secrets(directory, world)[MODEL_KEY]
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for told in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(told, ended.set)
    async with serve(standalone_app(world, ScriptedModel(on_call_engineer, key=key, pace=PACE)), port, host):
        await ended.wait()


def standalone_app(world: World, model: ScriptedModel) -> Starlette:
    """Return the app that serves everything, and ``/healthz``."""
    return Starlette(
        routes=[
            Route("/healthz", _healthz),
            _below("/prometheus", world.prometheus),
            _below("/loki", world.loki),
            _below("/github", world.github),
            _below("/argocd", world.argocd),
            _below("/pagerduty-events", world.pagerduty_events),
            _below("/pagerduty", world.pagerduty_api),
            _below("/model", model.host()),
        ]
    )


def _below(path: str, app: ASGIApp) -> Mount:
    """Mount an app whose links are to be below its path, too: it must not know of the app that holds it."""

    async def alone(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "app_root_path": scope["root_path"]}, receive, send)

    return Mount(path, alone)


def share_secrets(directory: Path, world: World) -> Mapping[str, str]:
    """Write what the other processes prove themselves with, one file a secret, as WATCHKEEPER_SECRETS_DIR reads them.

    Those that the world does not prescribe are drawn once: a world that starts again must not shut the others out.
    """
    drawn = {name: _drawn_once(directory / name) for name in (MODEL_KEY, PROGRAM_TOKEN, SOURCE_TOKEN)}
    shared = {
        env_variable("github", "token"): world.github_token,
        env_variable("argocd", "token"): world.argocd_token,
        env_variable("pagerduty", "api_token"): world.pagerduty_token,
        **{env_variable("teams", team, "routing_key"): key for team, key in world.routing_keys.items()},
        **drawn,
    }
    for name, secret in shared.items():
        file = directory / name
        file.touch(mode=0o600)
        file.write_text(secret, encoding="utf-8")
    return shared


def _drawn_once(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else secrets.token_hex(16)


async def _healthz(request: Request) -> Response:
    return JSONResponse({"alive": True})
