"""The journal that preserves the state of the watchdog over a restart: one SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

from watchkeeper.config.settings import SettingsError, env_variable
from watchkeeper.watchdog.models import WatchedIncident

LOCK_TIMEOUT = 2.0
"""Seconds to wait for another process that has locked the file."""

_COLUMNS = tuple(field.name for field in fields(WatchedIncident) if field.compare)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS watched (
    key TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, run_id TEXT, title TEXT NOT NULL, service TEXT, team TEXT,
    severity TEXT, accepted_at REAL NOT NULL, deadline REAL NOT NULL, reported_at REAL, paged_at REAL,
    joined INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS outage (since REAL NOT NULL);
"""
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM watched"
_PUT = f"INSERT OR REPLACE INTO watched ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"

Values: TypeAlias = tuple[str | float | None, ...]


class JournalError(Exception):
    """A write failed. The message says why."""


class Journal:
    """Stores the incidents and the start of the current outage. A write is on the disk when it returns.

    Writes that wait at the same time share one commit, so a storm of alerts does not wait for one disk sync each.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the file. None means in memory: a restart loses it. Raises SettingsError."""
        self._writer = ThreadPoolExecutor(1, "watchdog-journal")
        self._pending: deque[tuple[str, Values, Future[None]]] = deque()
        try:
            self._database = sqlite3.connect(path or ":memory:", LOCK_TIMEOUT, check_same_thread=False)
        except sqlite3.Error as error:
            raise _unusable(path, error) from error
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise _unusable(path, error) from error

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode=wal")
        self._database.execute("PRAGMA synchronous=full")
        with self._database:
            self._database.executescript(_SCHEMA)
            if self._is_of_version_without_joined():
                self._database.execute("ALTER TABLE watched ADD COLUMN joined INTEGER NOT NULL DEFAULT 0")
            # SQLite opens damaged files, files of another schema and read-only files without an error.
            (found,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            self._database.execute(f"{_SELECT} LIMIT 1").fetchall()
            self._database.execute("DELETE FROM watched WHERE key = ''")

    def _is_of_version_without_joined(self) -> bool:
        columns = [name for _, name, *_ in self._database.execute("PRAGMA table_info(watched)")]
        return columns == [column for column in _COLUMNS if column != "joined"]

    def incidents(self) -> list[WatchedIncident]:
        """Return the stored incidents. Raises SettingsError if they cannot be read."""
        try:
            return [WatchedIncident(*row) for row in self._database.execute(_SELECT)]
        except sqlite3.Error as error:
            raise SettingsError(f"watchdog.journal cannot be read ({error}); move it away") from error

    def outage(self) -> float | None:
        """Return when the stored outage began, in Unix seconds; None without an outage."""
        row = self._database.execute("SELECT min(since) FROM outage").fetchone()
        return None if row[0] is None else float(row[0])

    async def put(self, incident: WatchedIncident) -> None:
        """Store an incident. Raises JournalError."""
        await self._write(_PUT, tuple(getattr(incident, column) for column in _COLUMNS))

    async def drop(self, key: str) -> None:
        """Delete an incident. Raises JournalError."""
        await self._write("DELETE FROM watched WHERE key = ?", (key,))

    async def begin_outage(self, since: float) -> None:
        """Store when an outage began, in Unix seconds. Raises JournalError."""
        await self._write("INSERT INTO outage (since) VALUES (?)", (since,))

    async def end_outage(self) -> None:
        """Delete the outage. Raises JournalError."""
        await self._write("DELETE FROM outage", ())

    def close(self) -> None:
        """Finish the pending writes and close the file."""
        self._writer.shutdown()
        self._database.close()

    async def _write(self, statement: str, values: Values) -> None:
        written: Future[None] = Future()
        self._pending.append((statement, values, written))
        self._writer.submit(self._commit)
        try:
            # The write continues if the caller is cancelled.
            await asyncio.shield(asyncio.wrap_future(written))
        except sqlite3.Error as error:
            raise JournalError(f"the watchdog's journal cannot be written: {error}") from error

    def _commit(self) -> None:
        batch = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            with self._database:
                for statement, values, _ in batch:
                    self._database.execute(statement, values)
        except sqlite3.Error as error:
            for *_, written in batch:
                written.set_exception(error)
        else:
            for *_, written in batch:
                written.set_result(None)


def _unusable(path: Path | None, error: sqlite3.Error) -> SettingsError:
    return SettingsError(
        f"watchdog.journal: {str(path)!r} cannot be used ({error}); move a damaged file away, or name another one in a "
        f"directory that can be written ({env_variable('watchdog', 'journal')})"
    )
