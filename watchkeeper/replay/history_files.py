"""Recorded histories on disk, and what keeps one from being replayed at all (pure but for reading them)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from google.protobuf.json_format import ParseError
from temporalio.client import WorkflowHistory

from watchkeeper.contracts import JsonObject

HOW = "record one with `watchkeeper history export`"


class InvalidHistory(ValueError):
    """What was to be replayed is no recorded history; the text names it and the way out."""


@dataclass(frozen=True)
class RecordedHistory:
    """One execution of a run, by the name that people know it by: its file, or its run."""

    name: str
    history: WorkflowHistory


def find_histories(paths: Iterable[Path]) -> Iterator[Path]:
    """Give the files among some paths, and those in the folders among them, in order. Raises InvalidHistory."""
    for path in paths:
        if not path.exists():
            raise InvalidHistory(f"no file or folder {path}; {HOW}")
        found = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        if not found:
            raise InvalidHistory(f"no recorded history (*.json) in {path}; {HOW}")
        yield from found


def read_history(file: Path) -> RecordedHistory:
    """Read a history as Temporal's own tools write it. Raises InvalidHistory and OSError."""
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
        started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
        history = WorkflowHistory.from_json(started.get("workflowId") or file.stem, recorded)
    except (ValueError, LookupError, TypeError, AttributeError, ParseError) as error:
        raise InvalidHistory(f"{file} is no recorded history; {HOW}") from error
    return RecordedHistory(str(file), history)


def find_gap(history: WorkflowHistory) -> tuple[int, int] | None:
    """Return the ids of the first two events between which some are missing; None if all are there."""
    ids = [event.event_id for event in history.events]
    return next(((before, after) for before, after in pairwise([0, *ids]) if after != before + 1), None)


def has_external_payloads(recorded: JsonObject) -> bool:
    """Tell whether a history, as JSON, names payloads that it does not hold."""
    return any("externalPayloads" in payload for payload in payloads(recorded))


def payloads(value: object) -> Iterator[JsonObject]:
    """Give every payload of a history, as JSON: input, results, failures, memo, headers and summaries."""
    match value:
        case dict() if "metadata" in value and value.keys() <= {"metadata", "data", "externalPayloads"}:
            yield value
        case dict():
            for member in value.values():
                yield from payloads(member)
        case list():
            for member in value:
                yield from payloads(member)
