"""The search attributes of a run. People list and filter runs by them, also in the Temporal UI.

The server keeps them, so they can be read when no worker is running.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from temporalio.common import SearchAttributeKey

Phase = Literal["starting", "queued", "investigating", "reporting", "open", "over"]
"""What a run is doing. ``open``: after its report, while its alerts still fire."""

WaitingFor = Literal["approval", "turn", "alerts"]
"""What a run waits for, apart from its model and tools: a person, its turn in the queue, the end of its alerts."""

PERSON = "person"
"""The ``Source`` of a run that no alert started."""

Key: TypeAlias = SearchAttributeKey[Any]

SERVICE = SearchAttributeKey.for_keyword("Service")
SEVERITY = SearchAttributeKey.for_keyword("Severity")
TEAM = SearchAttributeKey.for_keyword("Team")
SOURCE = SearchAttributeKey.for_keyword("Source")
"""Name of the alert source in the operator's settings, or ``PERSON``."""
PHASE = SearchAttributeKey.for_keyword("Phase")
OUTCOME = SearchAttributeKey.for_keyword("Outcome")
"""How the investigation ended; absent during the investigation. It is set while the run stays open after its report."""
WAITING_FOR = SearchAttributeKey.for_keyword("WaitingFor")
ROUNDS = SearchAttributeKey.for_int("Rounds")
COST_USD = SearchAttributeKey.for_float("CostUsd")
UNSUPPORTED_CLAIMS = SearchAttributeKey.for_int("UnsupportedClaims")
"""Statements of the report that nothing supports; absent before the report, and if its claims were not checked."""

REPORTED_PROBLEMS = "TemporalReportedProblems"
"""Set by the server, from version 1.30 on, while the workflow tasks of a run fail again and again. It always exists."""

ALL: tuple[Key, ...] = (
    *(SERVICE, SEVERITY, TEAM, SOURCE, PHASE, OUTCOME, WAITING_FOR, ROUNDS, COST_USD),
    UNSUPPORTED_CLAIMS,
)


def type_name(key: Key) -> str:
    """Return the type of an attribute as Temporal's command line spells it: ``Keyword``, ``Int``, ``Double``."""
    return key.indexed_value_type.name.title()
