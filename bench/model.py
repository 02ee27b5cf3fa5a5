"""The scripted model in a process of its own, so that neither its time nor its CPU is a contender's.

Contenders have base URLs of their own: ``/NAME/v1``. Who has no model waits for its turn at ``/NAME/turn``.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bench.baton import Baton
from bench.process import answer
from bench.task import script
from watchkeeper.demo.model import ScriptedModel
from watchkeeper.demo.server import serving


class Host(ScriptedModel):
    """Notes how long each request was with it, its turn awaited, and how large it was; keeps no request."""

    def __init__(self, baton: Baton) -> None:
        super().__init__(script)
        self._baton = baton
        self._served: dict[str, list[tuple[float, int]]] = defaultdict(list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, name = time.perf_counter(), scope["path_params"]["name"]
        await self._baton.turn(name)
        await super().__call__(scope, receive, send)
        self._served[name].append((time.perf_counter() - began, len(self.requests.pop().body)))

    async def turn(self, request: Request) -> Response:
        """Answer when it is the caller's turn."""
        await self._baton.turn(request.path_params["name"])
        return Response()

    def take(self, name: str) -> list[tuple[float, int]]:
        """Return seconds and bytes of each request of a contender since the last time."""
        return self._served.pop(name, [])


async def main() -> None:
    baton = Baton()
    host = Host(baton)
    routes = [Route("/{name}/v1/chat/completions", host), Route("/{name}/turn", host.turn)]
    async with serving(Starlette(routes=routes)) as url:
        answers = {
            "join": lambda *names: baton.join(list(names)),
            "leave": baton.leave,
            "waits": baton.waits,
            "served": host.take,
        }
        await answer(url, answers)


if __name__ == "__main__":
    asyncio.run(main())
