"""The test kit: test your own tools, prompts and workflow changes without a model host (docs/testing.md).

=============================================  ======================================================================
``run_agent``                                  run the agent with your tools and a scripted model
``ScriptedModel``                              a chat-completions host that is as strict as the strictest real host
``says``, ``calls``, ``raw``                   one reply of a script
``in_order``, ``by_first_message``, ``always``  scripts that choose a reply
``FakeServer``, ``serve``                      a back end that records its requests, and how to serve it
``faults``                                     what a failing host does to a request: delays, statuses, broken bodies
``histories``, ``assert_replays``, ``replayed``  replay tests of recorded runs (docs/replaying.md)
=============================================  ======================================================================

A name is imported when it is first used: importing this package needs neither pytest nor the worker.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watchkeeper.testing import faults
    from watchkeeper.testing.agent import AgentHarness, run_agent
    from watchkeeper.testing.asgi_server import serve
    from watchkeeper.testing.fake_server import FakeServer, ReceivedRequest
    from watchkeeper.testing.faults import Fault
    from watchkeeper.testing.replay_assertions import InvalidHistory, ReplayVerdict, assert_replays, histories, replayed
    from watchkeeper.testing.request_refused import RequestRefused
    from watchkeeper.testing.scripted_model import ScriptedModel
    from watchkeeper.testing.scripts import (
        Script,
        ScriptedCall,
        ScriptedReply,
        ScriptEnded,
        allows_calls,
        always,
        by_first_message,
        calls,
        in_order,
        raw,
        says,
    )

_MODULES = {
    "agent": ("AgentHarness", "run_agent"),
    "asgi_server": ("serve",),
    "request_refused": ("RequestRefused",),
    "fake_server": ("FakeServer", "ReceivedRequest"),
    "faults": ("Fault",),
    "replay_assertions": ("InvalidHistory", "ReplayVerdict", "assert_replays", "histories", "replayed"),
    "scripted_model": ("ScriptedModel",),
    "scripts": (
        *("Script", "ScriptEnded", "ScriptedCall", "ScriptedReply"),
        *("allows_calls", "always", "by_first_message", "calls", "in_order", "raw", "says"),
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "AgentHarness",
    "FakeServer",
    "Fault",
    "InvalidHistory",
    "ReceivedRequest",
    "ReplayVerdict",
    "RequestRefused",
    "Script",
    "ScriptEnded",
    "ScriptedCall",
    "ScriptedModel",
    "ScriptedReply",
    "allows_calls",
    "always",
    "assert_replays",
    "by_first_message",
    "calls",
    "faults",
    "histories",
    "in_order",
    "raw",
    "replayed",
    "run_agent",
    "says",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
