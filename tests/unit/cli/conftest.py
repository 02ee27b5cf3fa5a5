from __future__ import annotations

from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.cli_desk import address_of
from tests.support.program import Program


@pytest.fixture
def program(client: Client, tmp_path: Path) -> Program:
    """The program in its own folder, connected to the server of the tests."""
    return Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client)})
