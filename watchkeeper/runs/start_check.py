"""Check what a person asks for before the run starts, with what the workers of the task queue have published."""

from __future__ import annotations

from temporalio.client import Client

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import RunInput
from watchkeeper.runs import start_options
from watchkeeper.runs.published_catalogues import read_catalogues
from watchkeeper.runs.start_options import StartProblem


async def check_start(client: Client, run_input: RunInput, settings: Settings) -> StartProblem | None:
    """Return why a run that a person wants cannot start; None if it can, or if nothing is known of the workers.

    The settings of this process may differ from the workers' settings, so they count only if no worker has published
    its catalogue. Alerts are never checked: their run starts, and a page follows if no worker can brief it.
    """
    if problem := start_options.severity_problem(run_input.severity):
        return problem
    if not start_options.needs_catalogue(run_input):
        return None
    queue = settings.worker.task_queue
    if published := await read_catalogues(client, queue):
        return start_options.start_problem(run_input, published, f" of the task queue {queue!r}")
    return start_options.catalogue_problem(run_input, start_options.own_catalogue(settings))
