"""The search attributes of a run, by which people list and filter runs, in the Temporal UI too.

They outlive the workers: what a run waits for and what it has cost can be read when none is alive.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from temporalio.common import SearchAttributeKey

Phase = Literal["starting", "queued", "investigating", "reporting", "open", "over"]
"""What a run is doing, coarsely; ``open`` is after its report, while its alerts fire."""

WaitingFor = Literal["approval", "turn", "alerts"]
"""What a run waits for beside its model and its tools: a person, its turn to investigate, its alerts to be over."""

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
"""How its investigation ended; absent while it goes on, there too where the run stays open after its report."""
WAITING_FOR = SearchAttributeKey.for_keyword("WaitingFor")
ROUNDS = SearchAttributeKey.for_int("Rounds")
COST_USD = SearchAttributeKey.for_float("CostUsd")

ALL: tuple[Key, ...] = (SERVICE, SEVERITY, TEAM, SOURCE, PHASE, OUTCOME, WAITING_FOR, ROUNDS, COST_USD)


def type_name(key: Key) -> str:
    """Name the type of an attribute as Temporal's command line does: ``Keyword``, ``Int``, ``Double``."""
    return key.indexed_value_type.name.title()
