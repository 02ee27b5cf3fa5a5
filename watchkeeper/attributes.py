"""The search attributes of a run, by which people list and filter runs, in the Temporal UI too."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

SERVICE = SearchAttributeKey.for_keyword("WatchkeeperService")
SEVERITY = SearchAttributeKey.for_keyword("WatchkeeperSeverity")
STATUS = SearchAttributeKey.for_keyword("WatchkeeperStatus")

ALL = (SERVICE, SEVERITY, STATUS)
