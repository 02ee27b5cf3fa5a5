"""The worker process: create the clients, find the tools, run the Temporal worker, drain it on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
from temporalio.client import Client
from temporalio.common import WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

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
from watchkeeper.config.settings import Settings, SettingsError
from watchkeeper.contracts import ToolSpec
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.conversation import ConversationStore
from watchkeeper.llm.tool_calls import MAX_CALLS
from watchkeeper.runs.published_catalogues import publish_catalogue
from watchkeeper.telemetry.setup import Telemetry
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.client import ensure_search_attributes
from watchkeeper.temporal.heartbeat import HeartbeatInterceptor
from watchkeeper.temporal.sandbox import Sandbox
from watchkeeper.tool import Tool
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools
from workflows.incident import IncidentWorkflow
from workflows.queue import QueueWorkflow

HTTP_SECONDS = 20.0
"""Timeout of one HTTP request of a tool. The attempt has its own timeout."""

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
) -> AsyncIterator[RunningWorker]:
    """Run a worker while the context is open. On exit, running activities get ``shutdown_seconds`` to finish.

    ``tools`` are those in ``activities/tools/`` by default. ``telemetry`` records the worker's activities.

    Raises SettingsError, ToolDefinitionError or TemporalError if it cannot start.
    """
    require_api_keys(settings)
    tools = discover_tools() if tools is None else tools
    specs = build_catalogue(tools, settings)
    await ensure_search_attributes(client)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=HTTP_SECONDS, follow_redirects=False))
        endpoints = [ModelClient(profile) for profile in settings.profiles]
        for endpoint in endpoints:
            stack.push_async_callback(endpoint.close)
        store = ConversationStore(settings.worker.conversation_bytes)
        conversations = ConversationCache(client, store)
        worker = Worker(
            client,
            task_queue=settings.worker.task_queue,
            workflows=[IncidentWorkflow, QueueWorkflow],
            workflow_runner=Sandbox(),
            activities=_activities(client, settings, tools, specs, endpoints, conversations, http),
            interceptors=[HeartbeatInterceptor(), *(telemetry.interceptors(client) if telemetry else ())],
            # Every event then names the version that produced it; the default is a hash of 32 characters.
            deployment_config=WorkerDeploymentConfig(version=VERSION, use_worker_versioning=False),
            max_concurrent_workflow_tasks=activity_options.CONCURRENT_WORKFLOW_TASKS,
            sticky_queue_schedule_to_start_timeout=activity_options.STICKY_QUEUE_TIMEOUT,
            # By default the SDK delays heartbeats until most of the timeout has passed.
            max_heartbeat_throttle_interval=activity_options.HEARTBEAT_TIMEOUT
            / activity_options.HEARTBEATS_PER_TIMEOUT
            / 2,
            graceful_shutdown_timeout=timedelta(seconds=settings.worker.shutdown_seconds),
            # The calls of a round start on this worker, which has the conversation, without using the task queue.
            max_eager_activity_reservations_per_workflow_task=MAX_CALLS,
        )
        await stack.enter_async_context(publish_catalogue(client, settings, tools))
        await stack.enter_async_context(worker)
        yield RunningWorker(worker, conversations)


def _activities(
    client: Client,
    settings: Settings,
    tools: Mapping[str, Tool[Any]],
    specs: Sequence[ToolSpec],
    endpoints: Sequence[ModelClient],
    conversations: ConversationCache,
    http: httpx2.AsyncClient,
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


def require_api_keys(settings: Settings) -> None:
    """Raise SettingsError unless every model has a key."""
    for profile in settings.profiles:
        if profile.api_key is None:
            raise SettingsError(
                f"no API key for the model {profile.name!r} at {profile.base_url}; set WATCHKEEPER_MODEL__API_KEY "
                "(any text works for a host that needs no key)"
            )


async def run_until_signal(client: Client, settings: Settings, telemetry: Telemetry | None = None) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain it."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ended.set)
    async with run_worker(client, settings, telemetry=telemetry):
        await ended.wait()
