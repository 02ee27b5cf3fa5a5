"""The journal: what it stores, which files it refuses, and that its errors refuse no alert."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path

import pytest

from tests.unit.watchdog.conftest import Setup, nowhere, started_run, until
from watchkeeper.config.settings import SettingsError
from watchkeeper.watchdog.journal import Journal
from watchkeeper.watchdog.models import WatchdogCounts, WatchedIncident
from watchkeeper.watchdog.watch_list import MAX_CLOSED, RETENTION, WatchList


def watched(number: int, **changes: float | None) -> WatchedIncident:
    now = time.time()
    incident = WatchedIncident(
        f"run-{number}", f"alert-test-{number}", f"run-{number}", "é", None, None, "critical", now, now
    )
    for name, value in changes.items():
        setattr(incident, name, value)
    return incident


async def test_a_new_process_reads_what_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    incidents = [watched(1), watched(2, paged_at=5.25), watched(3)]
    await asyncio.gather(*(journal.put(incident) for incident in incidents), journal.begin_outage(4.5))
    await journal.drop("run-3")
    other = Journal(tmp_path / "journal.db")  # though the first is not closed, as after a crash
    assert (other.incidents(), other.outage()) == (incidents[:2], 4.5)
    await journal.end_outage()
    assert other.outage() is None
    journal.close()
    other.close()


async def test_without_a_file_the_journal_is_in_memory(setup: Setup) -> None:
    setup.set(watchdog={"journal": None})
    async with setup.running_watchdog(await nowhere()) as watchdog:
        await watchdog.record_accepted(started_run("alert-test-1", "run-1"))
        await until(lambda: watchdog.counts.pages)


async def test_a_journal_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    incidents = [watched(1), watched(2, paged_at=5.25)]
    await asyncio.gather(*(journal.put(incident) for incident in incidents))
    journal.close()
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE watched DROP COLUMN joined")
    database.close()
    for _ in range(2):
        journal = Journal(path)
        assert journal.incidents() == incidents
        journal.close()


def damaged(path: Path) -> Path:
    Journal(path).close()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)
    return path


def with_another_schema(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE watched (id INTEGER)")
    database.close()
    return path


def text(path: Path) -> Path:
    path.write_text("this is no database " * 100)
    return path


@pytest.mark.parametrize(
    "make", [text, damaged, with_another_schema, lambda path: path / "missing" / "journal.db", lambda path: path.parent]
)
async def test_an_unusable_file_is_named_with_the_remedy(setup: Setup, tmp_path: Path, make: object) -> None:
    assert callable(make)
    path = make(tmp_path / "other.db")
    setup.set(watchdog={"journal": path})
    with pytest.raises(SettingsError) as refused, setup.watchdog():
        pass
    assert str(refused.value).startswith(f"watchdog.journal: {str(path)!r} cannot be used (")
    assert "WATCHKEEPER_WATCHDOG__JOURNAL" in str(refused.value)


async def test_an_incident_is_watched_without_a_writable_journal(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    async with setup.running_watchdog(await nowhere()) as watchdog:
        await until(lambda: watchdog.counts.outage)
        other = sqlite3.connect(setup.settings.watchdog.journal or "")
        other.execute("BEGIN IMMEDIATE")
        await watchdog.record_accepted(started_run("alert-test-1", "run-1"))
        assert watchdog.counts.unjournaled == 1
        other.close()
        await until(lambda: watchdog.counts.pages)
    assert "the watchdog's journal cannot be written: database is locked" in caplog.text


async def test_the_event_loop_does_not_wait_for_the_disk(setup: Setup) -> None:
    async with setup.running_watchdog(await nowhere()) as watchdog:
        await until(lambda: watchdog.counts.outage)
        other = sqlite3.connect(setup.settings.watchdog.journal or "")
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(watchdog.record_accepted(started_run("alert-test-1", "run-1")))
        began = time.monotonic()
        for _ in range(10):
            await asyncio.sleep(0.01)
        assert time.monotonic() - began < 1
        assert not waiting.done(), "the intake does not answer before it is written"
        other.rollback()
        await waiting
        other.close()
        assert watchdog.counts.unjournaled == 0


async def test_an_unpageable_incident_is_kept_for_a_day(setup: Setup) -> None:
    setup.settings = setup.settings.model_copy(update={"teams": {}})
    journal, now = Journal(setup.settings.watchdog.journal), time.time()
    await journal.put(watched(1, deadline=now - RETENTION + 60))
    await journal.put(watched(2, deadline=now - RETENTION - 60))
    with setup.watchdog() as watchdog:
        await watchdog.poll()
        assert (watchdog.counts.unpageable, watchdog.counts.watched) == (2, 1)
    assert [incident.key for incident in journal.incidents()] == ["run-1"]
    journal.close()


async def test_a_closed_incident_is_kept_for_a_day(tmp_path: Path) -> None:
    journal, now = Journal(tmp_path / "journal.db"), time.time()
    watch_list = WatchList(journal, WatchdogCounts())
    await watch_list.put(watched(1))
    await watch_list.put(watched(2, reported_at=now - RETENTION + 60))
    await watch_list.put(watched(3, reported_at=now - RETENTION - 60))
    await watch_list.put(watched(4, paged_at=now - RETENTION - 60))
    await watch_list.prune(now)
    assert [incident.key for incident in journal.incidents()] == ["run-1", "run-2"]
    journal.close()


async def test_the_number_of_closed_incidents_is_limited(tmp_path: Path) -> None:
    journal, now = Journal(tmp_path / "journal.db"), time.time()
    watch_list = WatchList(journal, WatchdogCounts())
    await asyncio.gather(*(watch_list.put(watched(n, reported_at=now - n)) for n in range(MAX_CLOSED + 3)))
    await watch_list.prune(now)
    assert len(journal.incidents()) == MAX_CLOSED
    assert watch_list.find(f"run-{MAX_CLOSED}") is None
    assert watch_list.find("run-0") is not None
    journal.close()
