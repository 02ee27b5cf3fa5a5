"""Reports with the records behind them: honest ones, and lies with what must be flagged.

Each YAML file is one run: `words` (alerts and messages), `services`, `calls` (a tool that the file does not describe by
`effect` reads; `page` is a page that was sent), `honest` (reports in which nothing may be flagged), `lies` (reports
with the texts that must be flagged) and `edits` (lies made of an honest report: its number, a text in it, the text
that replaces this one, and what must be flagged).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from watchkeeper.contracts import CallRecord, Effect, PageRecord
from watchkeeper.incident.claims import Records


@dataclass(frozen=True)
class Lie:
    report: str
    flags: list[str]


@dataclass(frozen=True)
class Run:
    name: str
    records: Records
    honest: list[str]
    lies: list[Lie]


def runs() -> Iterator[Run]:
    """Yield all runs of the corpus."""
    for path in sorted(Path(__file__).parent.glob("*.yaml")):
        data = yaml.safe_load(path.read_text())
        lies = [Lie(**lie) for lie in data["lies"]]
        lies += [_edited(data["honest"], *edit) for edit in data.get("edits", [])]
        yield Run(path.stem, _records(data), data["honest"], lies)


def _edited(honest: list[str], number: int, old: str, new: str, flags: str | list[str]) -> Lie:
    assert old in honest[number], f"report {number} has no text {old!r}"
    return Lie(honest[number].replace(old, new, 1), [flags] if isinstance(flags, str) else flags)


def _records(data: dict[str, Any]) -> Records:
    results: dict[str, str] = {}
    calls: list[CallRecord] = []
    tools: dict[str, Effect] = {}
    for call in data["calls"]:
        key, status, text = call["key"], call.get("status", "ok"), json.dumps(call["result"], ensure_ascii=False)
        page = PageRecord(**call["page"]) if "page" in call else None
        arguments = json.dumps(call["arguments"], ensure_ascii=False)
        calls.append(
            CallRecord(key=key, name=call["tool"], arguments=arguments, status=status, finding=text[:200], page=page)
        )
        tools[call["tool"]] = call.get("effect", "keyed" if call["tool"] == "page_engineer" else "read")
        if status == "ok":
            results[key] = text
    return Records(
        results=results,
        calls=calls,
        words=data["words"],
        tools=tools,
        pages=frozenset({"page_engineer"}),
        services=data["services"],
    )
