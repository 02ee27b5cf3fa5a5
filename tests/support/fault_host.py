"""One model host for many concurrent runs. The run that sends a request selects the fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from starlette.types import ASGIApp

from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.fake_server import ReceivedRequest
from watchkeeper.testing.faults import Fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, text_of

Sent: TypeAlias = ScriptedReply | Fault
"""How a host handles one request."""

EVER = 1_000
"""More requests than one run sends."""


class ManyFates(ScriptedModel):
    """A host whose runs do not know of each other.

    ``fates``: by the text of a run, what becomes of its requests, one after the other; ``then`` is for those after
    them. A run is known by the last line of what it first asks.
    """

    def __init__(self, fates: Mapping[str, Sequence[Sent]], then: Sent) -> None:
        super().__init__(lambda request: self._due.pop(_text(request)), key=KEY)
        self._fates = fates
        self._then = then
        self._due: dict[str, ScriptedReply] = {}
        self.asked: dict[str, list[ReceivedRequest]] = defaultdict(list)
        """Requests by run."""
        self.outage = self._by_run

    def _by_run(self, app: ASGIApp) -> ASGIApp:
        request = self.requests[-1]
        text = _text(request.json())
        fate, met = self._fates.get(text, ()), len(self.asked[text])
        self.asked[text].append(request)
        sent = fate[met] if met < len(fate) else self._then
        if isinstance(sent, ScriptedReply):
            self._due[text] = sent
            return app
        return sent(app)


def _text(request: JsonObject) -> str:
    asked = next(message for message in request["messages"] if message["role"] == "user")
    return text_of(asked).splitlines()[-1]
