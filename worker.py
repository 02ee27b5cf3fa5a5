"""The worker process: create the clients, find the tools, run the Temporal worker, drain it on SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.service import RPCError
from temporalio.worker import FixedSizeSlotSupplier, Interceptor, Worker, WorkerDeploymentConfig, WorkerTuner

from activities.announce import AnnounceActivities
from activities.announce_approval import AnnounceApprovalActivities
from activities.ask import AskActivities
from activities.brief import BriefActivities
from activities.call_tool import tool_activity
from activities.carry import CarryActivities
from activities.compact import CompactActivities
from activities.conversation_cache import ConversationCache
from activities.deliver import DeliverActivities
from activities.queue import QueueActivities
from activities.review import ReviewActivities
from watchkeeper import __version__
from watchkeeper.config.openai_variables import missing_key
from watchkeeper.config.settings import Settings, SettingsError
from watchkeeper.contracts import ToolSpec
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import ConversationStore
from watchkeeper.llm.model_key import read_key_file
from watchkeeper.llm.openai_connection import load_openai
from watchkeeper.llm.tool_calls import MAX_CALLS
from watchkeeper.redaction import public_address
from watchkeeper.runs import start_options
from watchkeeper.runs.published_catalogues import publish_catalogue
from watchkeeper.telemetry.setup import Telemetry
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.client import ensure_search_attributes
from watchkeeper.temporal.current_details import CurrentDetailsInterceptor
from watchkeeper.temporal.heartbeat import HeartbeatInterceptor
from watchkeeper.temporal.lazy_client import is_unreachable, wait_until_reachable
from watchkeeper.temporal.renewed_worker import connected_anew, renewed_worker
from watchkeeper.temporal.sandbox import Sandbox
from watchkeeper.temporal.workflow_slots import WorkflowTaskSlots
from watchkeeper.text import error_text
from watchkeeper.tool import Tool
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
from workflows.incident import IncidentWorkflow
from workflows.late_delivery import DeliveryWorkflow
from workflows.queue import QueueWorkflow

HTTP_SECONDS = 20.0
"""Longest pause of a host within one HTTP request of a tool. The attempt has its own timeout."""

log = logging.getLogger("watchkeeper")

_NAMESPACE_CHECK_FAILED = "Worker validation failed"
"""How the SDK's error begins if a worker cannot look up its namespace."""

VERSION = WorkerDeploymentVersion("watchkeeper", __version__)


@dataclass(frozen=True)
class RunningWorker:
    """A running worker and its conversations."""

    worker: Worker
    conversations: ConversationCache


@asynccontextmanager
async def run_worker(
    client: Client,
    settings: Settings,
    *,
    tools: Mapping[str, Tool[Any]] | None = None,
    telemetry: Telemetry | None = None,
    renewed: bool = False,
) -> AsyncIterator[RunningWorker]:
    """Run a worker while the context is open. On exit, running activities get ``shutdown_seconds`` to finish.

    ``tools`` are those in ``activities/tools/`` by default. ``telemetry`` records the worker's activities. With
    ``renewed``, the worker polls at once when Temporal returns after an outage.

    Raises SettingsError, ToolDefinitionError, TemporalError or RPCError if it cannot start.
    """
    require_usable_models(settings)
    tools = discover_tools() if tools is None else tools
    specs = build_catalogue(tools, settings)
    await ensure_search_attributes(client)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(LimitedClient(timeout=HTTP_SECONDS))
        endpoints = [ModelClient(profile) for profile in settings.profiles]
        for endpoint in endpoints:
            stack.push_async_callback(endpoint.close)
        store = ConversationStore(settings.worker.conversation_bytes)
        conversations = ConversationCache(client, store)
        make_worker = partial(
            _make_worker,
            settings=settings,
            activities=_activities(client, settings, tools, specs, endpoints, conversations, http),
            interceptors=[
                HeartbeatInterceptor(),
                CurrentDetailsInterceptor(),
                *(telemetry.interceptors(client) if telemetry else ()),
            ],
        )
        await stack.enter_async_context(publish_catalogue(client, settings, tools))
        worker = await stack.enter_async_context(
            renewed_worker(client, make_worker) if renewed else make_worker(client)
        )
        loading = asyncio.create_task(load_openai())  # the worker already polls meanwhile
        stack.push_async_callback(asyncio.wait, [loading])
        yield RunningWorker(worker, conversations)


def _make_worker(
    client: Client,
    *,
    settings: Settings,
    activities: Sequence[Callable[..., Any]],
    interceptors: Sequence[Interceptor],
) -> Worker:
    return Worker(
        client,
        task_queue=settings.worker.task_queue,
        workflows=[IncidentWorkflow, QueueWorkflow, DeliveryWorkflow],
        workflow_runner=Sandbox(),
        activities=activities,
        interceptors=interceptors,
        # Every event then names the version that produced it; the default is a hash of 32 characters.
        deployment_config=WorkerDeploymentConfig(version=VERSION, use_worker_versioning=False),
        tuner=_tuner(),
        sticky_queue_schedule_to_start_timeout=activity_options.STICKY_QUEUE_TIMEOUT,
        # By default the SDK delays heartbeats until most of the timeout has passed.
        max_heartbeat_throttle_interval=activity_options.HEARTBEAT_TIMEOUT
        / activity_options.HEARTBEATS_PER_TIMEOUT
        / 2,
        graceful_shutdown_timeout=timedelta(seconds=settings.worker.shutdown_seconds),
        # The calls of a round start on this worker, which has the conversation, without using the task queue.
        max_eager_activity_reservations_per_workflow_task=MAX_CALLS,
    )


def _tuner() -> WorkerTuner:
    activities = FixedSizeSlotSupplier(activity_options.CONCURRENT_ACTIVITIES)
    return WorkerTuner.create_composite(
        workflow_supplier=WorkflowTaskSlots(
            activity_options.CONCURRENT_REPLAYS, activity_options.CONCURRENT_CACHED_TASKS
        ),
        activity_supplier=activities,
        local_activity_supplier=activities,
        nexus_supplier=activities,
    )


def _activities(
    client: Client,
    settings: Settings,
    tools: Mapping[str, Tool[Any]],
    specs: Sequence[ToolSpec],
    endpoints: Sequence[ModelClient],
    conversations: ConversationCache,
    http: LimitedClient,
) -> list[Callable[..., Any]]:
    """Return the activities of a worker. Each tool is one activity type."""
    queueing, store = QueueActivities(client, settings.worker.task_queue), conversations.store
    return [
        BriefActivities(settings, specs, store, http).brief,
        AskActivities(endpoints, conversations).ask,
        CompactActivities(conversations).compact,
        CarryActivities(conversations).carry,
        ReviewActivities(specs, list(settings.services), conversations).review,
        DeliverActivities(settings, http).deliver,
        AnnounceActivities(settings).announce,
        AnnounceApprovalActivities(settings, http).announce_approval,
        queueing.enter,
        queueing.leave,
        queueing.find_gone,
        *(tool_activity(tool, settings, http, store) for tool in tools.values()),
    ]


def require_usable_models(settings: Settings) -> None:
    """Raise SettingsError unless every model has a key, and prices if the settings limit the cost of runs."""
    for profile in settings.profiles:
        place = f"the model {profile.name!r} at {public_address(profile.base_url)}"
        if not profile.has_key:
            raise SettingsError(f"{place}: {missing_key(profile, os.environ)}")
        if profile.api_key_file is not None:
            try:
                read_key_file(profile.api_key_file)
            except ValueError as error:
                raise SettingsError(f"{place}: {error}") from None
    if (problem := start_options.default_cost_problem(settings)) is not None:
        raise SettingsError(problem)


async def run_until_signal(client: Client, settings: Settings, telemetry: Telemetry | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain it. It waits where Temporal is out of reach.

    Raises as ``run_worker``.
    """
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    signalled = asyncio.create_task(ended.wait())
    try:
        while not ended.is_set():
            reachable = asyncio.create_task(_wait_for_temporal(client))
            try:
                await asyncio.wait({reachable, signalled}, return_when=asyncio.FIRST_COMPLETED)
                if not ended.is_set():
                    async with run_worker(await reachable, settings, telemetry=telemetry, renewed=True):
                        await ended.wait()
            except (RPCError, RuntimeError) as error:
                if not _is_outage(error):
                    raise
                log.warning("Temporal went away while the worker started: %s", error_text(error))
            finally:
                reachable.cancel()
    finally:
        signalled.cancel()


async def _wait_for_temporal(client: Client) -> Client:
    """Wait until Temporal serves the namespace; return a connected client. A server that starts may answer earlier."""
    while True:
        await wait_until_reachable(client)
        try:
            await ensure_search_attributes(client)
            return await connected_anew(client)
        except RPCError as error:
            if not is_unreachable(error):
                raise
        except RuntimeError as error:  # the SDK could not connect
            log.warning("Temporal cannot be reached again: %s", error_text(error))
        await asyncio.sleep(1)


def _is_outage(error: RPCError | RuntimeError) -> bool:
    """Tell whether a worker could not start because Temporal went away.

    The SDK's worker looks up the namespace, which existed a moment before. If it was deleted, the next start says so.
    """
    if isinstance(error, RPCError):
        return is_unreachable(error)
    return str(error).startswith(_NAMESPACE_CHECK_FAILED)
