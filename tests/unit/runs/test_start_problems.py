"""What is wrong with a run that a person wants to start, found with the catalogues of the workers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.support.settings import build_settings
from watchkeeper.contracts import LimitChanges, RunInput, ToolChoice, WorkerCatalogue
from watchkeeper.runs.start_options import (
    catalogue_problem,
    default_cost_problem,
    needs_catalogue,
    own_catalogue,
    severity_problem,
    similar_names,
    start_problem,
    worker_catalogue,
)

PRICED: dict[str, Any] = {"model": {"prices": {"input": 1, "output": 2}}}


def catalogue(**fields: Any) -> WorkerCatalogue:
    return WorkerCatalogue(version="1", published_at=1.0, **fields)


def wanted(service: str | None = None, tool: str | None = None, cost: float | None = None) -> RunInput:
    return RunInput(
        text="Why?",
        service=service,
        tool_choice=ToolChoice(mode="named", function=tool) if tool else None,
        limits=LimitChanges(cost=cost) if cost else None,
    )


KNOWN = catalogue(services=["checkout", "payments"], tools=["look", "restart"], unpriced=["kimi"])


@pytest.mark.parametrize(
    ("run_input", "kind", "message"),
    [
        (wanted("chekout"), "UnknownService", "no service 'chekout' in the catalogue; did you mean checkout? known: c"),
        (wanted("Checkout"), "UnknownService", "did you mean checkout? known: checkout, payments"),
        (wanted("billing"), "UnknownService", "no service 'billing' in the catalogue; known: checkout, payments"),
        (wanted("checkout", tool="lok"), "UnknownTool", "no tool 'lok' in the catalogue; did you mean look? known: l"),
        (wanted(cost=0.5), "PricesUnknown", "none for kimi: set [model.prices]"),
        (wanted("checkout", tool="look"), None, ""),
        (wanted(), None, ""),
    ],
)
def test_a_problem_names_the_value_and_the_remedy(run_input: RunInput, kind: str | None, message: str) -> None:
    problem = catalogue_problem(run_input, KNOWN)
    assert (problem.kind if problem else None) == kind
    assert message in (problem.message if problem else "")


NAMES = st.sampled_from(["a", "b", "c"])
CATALOGUES = st.builds(
    catalogue,
    services=st.none() | st.lists(NAMES, unique=True),
    tools=st.none() | st.lists(NAMES, unique=True),
    unpriced=st.lists(NAMES, max_size=1),
)
INPUTS = st.builds(wanted, st.none() | NAMES, st.none() | NAMES, st.sampled_from([None, 1.0]))


@given(INPUTS, st.lists(CATALOGUES, max_size=3))
def test_a_run_is_refused_only_if_every_worker_would_refuse_it(
    run_input: RunInput, catalogues: list[WorkerCatalogue]
) -> None:
    some_worker_accepts = any(catalogue_problem(run_input, one) is None for one in catalogues)
    assert (start_problem(run_input, catalogues) is None) == (some_worker_accepts or not catalogues)


@given(INPUTS, CATALOGUES)
def test_a_run_that_needs_no_catalogue_has_no_problem(run_input: RunInput, known: WorkerCatalogue) -> None:
    assert needs_catalogue(run_input) or catalogue_problem(run_input, known) is None


@given(st.text(min_size=1, max_size=150), st.lists(st.text(max_size=150), max_size=30))
def test_any_name_gives_a_short_message_of_visible_characters(name: str, known: list[str]) -> None:
    problem = catalogue_problem(wanted(name), catalogue(services=known))
    assert (problem is None) == (name in known)
    if problem is not None:
        assert len(problem.message.encode()) < 3_000
        assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(problem.message)


@pytest.mark.parametrize("length", [12, 150])
def test_a_huge_catalogue_is_searched_quickly(length: int) -> None:
    known = [*(f"{number:05}-{'abcdef' * 30}"[:length] for number in range(5_000)), "checkout"]
    started = time.process_time()
    problem = catalogue_problem(wanted("chekout"), catalogue(services=known))
    similar_names("fedcba-" * 20, known)
    assert time.process_time() - started < 5
    assert problem is not None
    assert "did you mean checkout?" in problem.message
    assert problem.message.endswith(" and 4,981 more")


def test_what_a_worker_publishes_comes_from_its_settings() -> None:
    found = worker_catalogue(build_settings(), ["restart", "look"])
    assert (found.services, found.tools) == (["checkout", "payments"], ["look", "restart"])
    assert found.unpriced == ["scripted"]
    assert worker_catalogue(build_settings(**PRICED), []).unpriced == []
    fallback = {"base_url": "http://unused", "name": "spare", "api_key": "x"}
    assert worker_catalogue(build_settings(**PRICED, fallbacks=[fallback]), []).unpriced == ["spare"]
    assert worker_catalogue(build_settings(services={}), []).services is None


def test_a_process_that_is_no_worker_knows_only_what_its_settings_name() -> None:
    settings = build_settings()
    assert own_catalogue(settings).unpriced == ["scripted"]
    assert own_catalogue(settings).tools is None
    nameless = settings.model_copy(update={"model": type(settings.model)(api_key=SecretStr("x"))})
    assert own_catalogue(nameless).unpriced == []


@pytest.mark.parametrize(
    ("severity", "meant"),
    [
        *((word, "critical") for word in ("crtical", "critcal", "CRTICAL")),
        *((word, "warning") for word in ("warnign", "Warnign")),
        ("hihg", "high"),
        ("erorr", "error"),
        *((word, None) for word in ("critical", "high", "SEV1", "sev-2", "P0", "ok", "low", "info", "page")),
        *((word, None) for word in ("S1", "blocker", "urgent", "7", "gold customer", "\x00\udfff", "", "highest")),
        (None, None),
    ],
)
def test_only_a_misspelled_severity_is_refused(severity: str | None, meant: str | None) -> None:
    problem = severity_problem(severity)
    assert (problem is None) == (meant is None)
    if problem is not None:
        assert problem.message.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize(
    ("changes", "unpriced"),
    [
        ({}, None),
        ({"limits": {"cost": 2.5}}, "none for kimi"),
        ({"limits": {"cost": 2.5}, **PRICED}, None),
        ({"limits": {"cost": 2.5}, **PRICED, "fallbacks": [{"name": "other"}]}, "none for other"),
        ({"limits": {"cost": 2.5}, "fallbacks": [{"name": "other"}]}, "none for kimi, other"),
    ],
)
def test_a_cost_limit_of_the_settings_needs_prices(changes: dict[str, Any], unpriced: str | None) -> None:
    model = {"name": "kimi", **changes.get("model", {})}
    problem = default_cost_problem(build_settings(**{**changes, "model": model}))
    assert (problem is None) == (unpriced is None)
    if problem is not None and unpriced is not None:
        assert "limits.cost = 2.5" in problem
        assert f"{unpriced}: set [model.prices], and prices of each fallback, or remove limits.cost" in problem
