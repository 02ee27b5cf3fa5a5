"""Options of a new run that the command line and the HTTP API both accept, and what is wrong with them (pure)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from watchkeeper import __version__
from watchkeeper.alerts.similar_severities import similar_severity
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import RunInput, ToolChoice, WorkerCatalogue
from watchkeeper.text import clean, excerpt, visible

NAMES_SHOWN = 20
"""How many known names an error lists."""

NAME_BYTES = 60
"""Largest part of a name in an error."""

SUGGESTIONS = 3

SIMILARITY = 0.6
"""How similar a known name must be to be suggested, from 0 to 1."""

COMPARED_NAMES = 20_000
COMPARED_CHARACTERS = 48
"""How many names, and how much of each, are compared with a wrong one: at worst this takes a second or two."""


@dataclass(frozen=True)
class StartProblem:
    """Why a run cannot start."""

    kind: Literal["UnknownService", "UnknownTool", "PricesUnknown", "UnknownSeverity"]
    """Type of the error with which ``brief`` refuses such a run; it refuses no severity."""
    field: str
    """The field of the request."""
    message: str
    """The value and what to do."""


def tool_choice(option: str | None) -> ToolChoice | None:
    """Read ``auto``, ``none``, ``required`` or the name of the tool to call first. None means auto."""
    match option:
        case None | "auto":
            return None
        case "none":
            return ToolChoice(mode="none")
        case "required":
            return ToolChoice(mode="required")
        case _:
            return ToolChoice(mode="named", function=option)


def worker_catalogue(settings: Settings, tools: Iterable[str], published_at: float = 0.0) -> WorkerCatalogue:
    """Return the catalogue of a worker with these settings and tools."""
    catalogue = WorkerCatalogue(
        version=__version__,
        published_at=published_at,
        tools=sorted(tools),
        unpriced=[profile.name for profile in settings.profiles if profile.prices is None],
    )
    services = sorted(map(clean, settings.services))
    return catalogue.model_copy(update={"services": services}) if services else catalogue


def own_catalogue(settings: Settings) -> WorkerCatalogue:
    """Return what the settings of a process that is no worker know: only what they name."""
    model = settings.model.model_fields_set & {"name", "base_url", "prices"}
    known = worker_catalogue(settings, ()).model_copy(update={"tools": None})
    return known if model or settings.fallbacks else known.model_copy(update={"unpriced": []})


def needs_catalogue(run_input: RunInput) -> bool:
    """Tell whether a run asks for anything that only a catalogue can confirm."""
    limits_cost = run_input.limits is not None and run_input.limits.cost is not None
    return run_input.service is not None or forced_tool(run_input) is not None or limits_cost


def forced_tool(run_input: RunInput) -> str | None:
    """Return the tool that the run must call first."""
    return run_input.tool_choice.function if run_input.tool_choice else None


def start_problem(run_input: RunInput, catalogues: Sequence[WorkerCatalogue], place: str = "") -> StartProblem | None:
    """Return why no worker could brief a run; None if one could, or if nothing is known of the workers.

    Args:
        run_input: Input of the run.
        catalogues: Catalogues of the workers, the newest first. Any of the workers may brief the run.
        place: Where the catalogue is from, such as `` of the task queue 'watchkeeper'``.
    """
    problems = [catalogue_problem(run_input, catalogue, place) for catalogue in catalogues]
    return problems[0] if problems and all(problems) else None


def catalogue_problem(run_input: RunInput, catalogue: WorkerCatalogue, place: str = "") -> StartProblem | None:
    """Return why a worker with this catalogue cannot brief a run."""
    service, forced = run_input.service, forced_tool(run_input)
    if service is not None and catalogue.services is not None and service not in catalogue.services:
        return StartProblem("UnknownService", "service", _unknown("service", service, catalogue.services, place))
    if forced is not None and catalogue.tools is not None and forced not in catalogue.tools:
        return StartProblem("UnknownTool", "tool_choice", _unknown("tool", forced, catalogue.tools, place))
    if run_input.limits is not None and run_input.limits.cost is not None and catalogue.unpriced:
        return StartProblem("PricesUnknown", "limits.cost", prices_unknown(catalogue.unpriced))
    return None


def prices_unknown(models: Sequence[str]) -> str:
    """Return why a run cannot have a limit on cost."""
    names = ", ".join(_named(name) for name in models[:SUGGESTIONS])
    return (
        f"a limit on cost needs the prices of every model, and the settings of the workers have none for {names}: "
        "set [model.prices] there, or leave the limit out"
    )


def default_cost_problem(settings: Settings) -> str | None:
    """Return why the cost limit of the settings would fail every run; None if none would fail."""
    unpriced = [profile.name for profile in settings.profiles if profile.prices is None]
    if settings.limits.cost is None or not unpriced:
        return None
    names = ", ".join(_named(name) for name in unpriced[:SUGGESTIONS])
    return (
        f"limits.cost = {settings.limits.cost:g} needs the prices of every model, and the settings have none for "
        f"{names}: set [model.prices], and prices of each fallback, or remove limits.cost"
    )


def severity_problem(severity: str | None) -> StartProblem | None:
    """Return a problem if a severity is a misspelled known one. Teams have other names too: those are accepted."""
    similar = similar_severity(severity or "")
    if similar is None:
        return None
    return StartProblem("UnknownSeverity", "severity", f"no severity {_shown(severity or '')}; did you mean {similar}?")


def _unknown(what: str, name: str, known: Sequence[str], place: str) -> str:
    similar = similar_names(name, known)
    suggestion = f"did you mean {' or '.join(map(_named, similar))}? " if similar else ""
    listed = ", ".join(map(_named, sorted(known)[:NAMES_SHOWN])) or "none"
    more = f" and {len(known) - NAMES_SHOWN:,} more" if len(known) > NAMES_SHOWN else ""
    return f"no {what} {_shown(name)} in the catalogue{place}; {suggestion}known: {listed}{more}"


def _named(name: str) -> str:
    return visible(excerpt(clean(name), NAME_BYTES))


def _shown(name: str) -> str:
    return repr(_named(name))


def similar_names(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are most similar to a name, the most similar first. Case does not count."""
    folded: dict[str, str] = {}
    for one in list(known)[:COMPARED_NAMES]:
        folded.setdefault(one.casefold()[:COMPARED_CHARACTERS], one)
    wanted = name.casefold()[:COMPARED_CHARACTERS]
    return [folded[one] for one in difflib.get_close_matches(wanted, folded, SUGGESTIONS, SIMILARITY)]
