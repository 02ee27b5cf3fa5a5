"""Wrong input on the command line: one sentence that says what is wrong, and an exit code."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.cli_desk import write_config
from tests.support.program import Program
from watchkeeper.runs.client import new_workflow_id

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded.\n\nRoll back."

pytestmark = pytest.mark.timeout(180)


NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "x", "--limit", "round=3"], 2, "no limit 'round=3'"),
        (["run", "x", "--limit", "rounds=many"], 2, "rounds=many: the value must be a whole number above 0"),
        (["run", "x", "--limit", "rounds=-1"], 2, "rounds=-1: the value must be a whole number above 0"),
        (["run", "x", "--limit", "duration=soon"], 2, "duration=soon: the value must be a time above 0, such as 90s"),
        (["run", "x", "--limit", "cost=free"], 2, "cost=free: the value must be US dollars above 0"),
        (["run", "x", "--limit", "rounds=0"], 2, "rounds=0: the value must be above 0"),
        (["run", "x", "--limit", "rounds=100001"], 2, "rounds=100001: the value must be at most 100,000"),
        (["run", "x", "--limit", f"rounds={'9' * 5_000}"], 2, "the value must be a whole number above 0"),
        (["run", "x", "--limit", "cost=0"], 2, "cost=0: the value must be above 0"),
        (["run", "x", "--severity", "crtical"], 2, "no severity 'crtical'; did you mean critical?"),
        (["run", "x", "--limit", "rounds=3", "--limit", "rounds=4"], 2, "'rounds' is given twice"),
        (
            ["run", "x", "--service", "chekout"],
            2,
            "no service 'chekout' in the catalogue; did you mean checkout? known: checkout, payments",
        ),
        (["run", " "], 2, "the text is empty"),
        (["run", "x" * 100_001], 2, "text: 100,001 characters are too many; at most 100,000 can be sent"),
        (["run", "x", "--severity", "x" * 151], 2, "severity: 151 characters are too many; at most 150 can be sent"),
        (["extend", "nope", "rounds"], 2, "no limit 'rounds'"),
        (["show", "nope"], 1, "no run 'nope' in the namespace 'default'; `watchkeeper list` shows"),
        (["show", "nope", "--json"], 1, "no run 'nope'"),
        (["watch", "nope"], 1, "no run 'nope'"),
        (["tell", "nope", "hello"], 1, "no run 'nope'"),
        (["approve", "nope", "r1.0"], 1, "no run 'nope'"),
        (["stop", "nope"], 1, "no run 'nope'"),
        (["history", "export", "nope", "x.json"], 1, "no run 'nope'"),
        (["replay", "nowhere.json"], 2, "no file or folder nowhere.json"),
        (["--config", "nowhere.toml", "tools"], 1, "cannot read 'nowhere.toml'"),
        (["dev", "--temporal-port", "1"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
        (["demo", "--live"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
        (["worker"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
    ],
)
async def test_bad_input_is_one_sentence(program: Program, arguments: list[str], code: int, message: str) -> None:
    write_config(program, "unused")
    ended = await program(*arguments)
    assert message in ended.sentence()
    assert ended.code == code


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["run", "x"], ["show", "x"], ["tell", "x", "y"], ["history", "export", "x", "y"]],
)
async def test_an_unreachable_server_is_one_sentence(program: Program, arguments: list[str]) -> None:
    ended = await program(*arguments, TEMPORAL_ADDRESS=NOWHERE, WATCHKEEPER_MODEL__API_KEY="x")
    message = ended.sentence()
    assert f"no Temporal server answers at {NOWHERE} (Connection refused)" in message
    assert "TEMPORAL_ADDRESS" in message
    assert ended.code == 1


async def test_an_unknown_namespace_is_one_sentence(program: Program) -> None:
    ended = await program("list", TEMPORAL_NAMESPACE="nowhere")
    assert (ended.code, "nowhere" in ended.sentence(), "TEMPORAL_NAMESPACE" in ended.err) == (1, True, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[model", "is not valid TOML"),
        ("[modell]\nname = 'x'", "no such setting: modell"),
        ("[model]\ndeadline = -1", "model.deadline"),
    ],
)
async def test_broken_settings_are_one_sentence(program: Program, content: str, message: str) -> None:
    (program.directory / "watchkeeper.toml").write_text(content)
    for command in (["run", "x"], ["tools"], ["worker"], ["dev"]):
        ended = await program(*command)
        assert (ended.code, message in ended.sentence()) == (1, True), ended.err


async def test_a_usage_error_is_exit_code_2(program: Program) -> None:
    for arguments in (["run"], ["nonsense"], ["show"], ["list", "--limit", "0"]):
        ended = await program(*arguments)
        assert ended.code == 2
        assert "Traceback" not in ended.err


def test_default_run_names_are_readable() -> None:
    now = datetime(2026, 11, 22, 14, 15, 3, tzinfo=UTC)
    assert new_workflow_id("Check Out/eu", now).startswith("incident-check-out-eu-20261122-141503-")
    assert new_workflow_id(None, now).startswith("incident-20261122-141503-")
    assert new_workflow_id("checkout", now) != new_workflow_id("checkout", now)
