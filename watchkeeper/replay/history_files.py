"""Recorded histories in files, and what makes a history impossible to replay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from google.protobuf.json_format import ParseError
from temporalio.client import WorkflowHistory

from watchkeeper.contracts import JsonObject

RECORD_HINT = "record one with `watchkeeper history export`"


class InvalidHistory(ValueError):
    """A file or folder contains no recorded history. The text names it and says how to record one."""


@dataclass(frozen=True)
class RecordedHistory:
    """The history of one execution. ``name`` is that of its file or of its run."""

    name: str
    history: WorkflowHistory


def find_histories(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files of some paths, and the .json files in the folders of them, in order. Raises InvalidHistory."""
    for path in paths:
        if not path.exists():
            raise InvalidHistory(f"no file or folder {path}; {RECORD_HINT}")
        found = sorted(path.rglob("*.json")) if path.is_dir() else [path]
        if not found:
            raise InvalidHistory(f"no recorded history (*.json) in {path}; {RECORD_HINT}")
        yield from found


def read_history(file: Path) -> RecordedHistory:
    """Read a history in the format of Temporal's own tools. Raises InvalidHistory and OSError."""
    try:
        recorded = json.loads(file.read_text(encoding="utf-8"))
        started = recorded["events"][0]["workflowExecutionStartedEventAttributes"]
        history = WorkflowHistory.from_json(started.get("workflowId") or file.stem, recorded)
    except (ValueError, LookupError, TypeError, AttributeError, ParseError) as error:
        raise InvalidHistory(f"{file} is not a recorded history; {RECORD_HINT}") from error
    return RecordedHistory(str(file), history)


def find_gap(history: WorkflowHistory) -> tuple[int, int] | None:
    """Return the ids of the first two events between which events are missing; None if the history is complete."""
    ids = [event.event_id for event in history.events]
    return next(((before, after) for before, after in pairwise([0, *ids]) if after != before + 1), None)


def has_external_payloads(recorded: JsonObject) -> bool:
    """Tell whether a history, as JSON, has payloads in external storage."""
    return any("externalPayloads" in payload for payload in payloads(recorded))


def payloads(value: object) -> Iterator[JsonObject]:
    """Yield every payload of a history, as JSON: input, results, failures, memo, headers and summaries."""
    match value:
        case dict() if "metadata" in value and value.keys() <= {"metadata", "data", "externalPayloads"}:
            yield value
        case dict():
            for member in value.values():
                yield from payloads(member)
        case list():
            for member in value:
                yield from payloads(member)
