"""Where the files are that tests read: each folder once, so that a moved test still finds them."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent

HISTORIES = TESTS / "histories"
"""Recorded histories, one file an execution; replayed by ``tests/workflows/test_replay.py``."""

GOLDEN = TESTS / "golden"
"""Schemas and names that recorded runs depend on."""

PAYLOADS = TESTS / "unit" / "alerts" / "payloads"
"""Bodies as alert senders send them; ``README.md`` there names their sources."""

DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"
