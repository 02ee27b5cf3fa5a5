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

ALL_REQUESTS = 1_000
"""More requests than one run sends."""


class FaultHost(ScriptedModel):
    """A host that treats each run separately.

    ``faults_by_run``: by the text of a run, how its requests are handled in order; ``then``: all later requests.
    A run is identified by the last line of its first user message, or by the title of the alert there.
    """

    def __init__(self, faults_by_run: Mapping[str, Sequence[Sent]], then: Sent) -> None:
        super().__init__(lambda request: self._due.pop(_text(request)), key=KEY)
        self._faults_by_run = faults_by_run
        self._then = then
        self._due: dict[str, ScriptedReply] = {}
        self.received: dict[str, list[ReceivedRequest]] = defaultdict(list)
        """Requests by run."""
        self.outage = self._by_run

    def _by_run(self, app: ASGIApp) -> ASGIApp:
        request = self.requests[-1]
        text = _text(request.json())
        faults, count = self._faults_by_run.get(text, ()), len(self.received[text])
        self.received[text].append(request)
        sent = faults[count] if count < len(faults) else self._then
        if isinstance(sent, ScriptedReply):
            self._due[text] = sent
            return app
        return sent(app)


def _text(request: JsonObject) -> str:
    first = next(message for message in request["messages"] if message["role"] == "user")
    *before, last = text_of(first).splitlines()
    return before[-1] if last == "</alert_title>" else last
