"""The tables of ``watchkeeper.toml``, each checked when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from watchkeeper.config.field_types import HttpUrl, Matchers, RunUrl, Secret, Section, SigningSecret


class Prices(Section):
    """Price of a model's tokens, in US dollars per million."""

    input: float = Field(ge=0, allow_inf_nan=False, description="Prompt tokens that were not cached.")
    cached_input: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Cached prompt tokens; default: as input."
    )
    output: float = Field(ge=0, allow_inf_nan=False, description="Completion tokens, including reasoning tokens.")


class ModelProfile(Section):
    """One model at one OpenAI-compatible endpoint.

    Sampling is left to the host unless ``extra_body`` says otherwise: Kimi K2.6 refuses any temperature but its own.
    """

    base_url: HttpUrl = "https://api.runware.ai/v1"
    name: str = Field(default="moonshotai-kimi-k2-6", min_length=1)
    api_key: Secret | None = None
    max_completion_tokens: int | None = Field(default=16_000, ge=1, description="None: the host's default.")
    context_tokens: int = Field(default=262_144, ge=1_024, description="The model's window: prompt and completion.")
    deadline: float = Field(default=120, gt=0, le=3_600, description="Seconds one call may take, in all.")
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Merged into every request.")
    forced_choice_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged when a tool is forced: Moonshot accepts that only with thinking disabled.",
    )
    prices: Prices | None = None


class ServiceSettings(Section):
    """A service of the catalogue: who owns it, and where its health, logs and deploys are found."""

    team: str
    metrics_selector: Matchers | None = Field(default=None, description='PromQL matchers; default service="NAME".')
    logs_selector: Matchers | None = Field(default=None, description='LogQL matchers; default service="NAME".')
    github: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/repository")
    environment: str | None = Field(default=None, description="GitHub deployment environment.")
    argocd: str | None = Field(default=None, description="Argo CD application.")


class TeamSettings(Section):
    """A team of people who can be paged."""

    routing_key: Secret | None = Field(default=None, description="PagerDuty Events v2 integration key.")
    slack_channel: str | None = Field(default=None, description="Id of its own channel, instead of slack.channel.")


class PrometheusSettings(Section):
    """Where service health comes from, and the metrics that say it."""

    url: HttpUrl | None = None
    token: Secret | None = None
    requests_metric: str = "http_requests_total"
    errors_matcher: str = 'code=~"5.."'
    latency_metric: str = Field(default="http_request_duration_seconds", description="A histogram, in seconds.")
    window: str = Field(default="5m", pattern=r"^\d+[smh]$")
    degraded_error_rate: float = Field(default=0.01, gt=0, le=1)
    degraded_p95_ms: float = Field(default=1_000, gt=0)


class LokiSettings(Section):
    """Where logs are searched."""

    url: HttpUrl | None = None
    token: Secret | None = None
    tenant: str | None = Field(default=None, description="X-Scope-OrgID")


class GitHubSettings(Section):
    """Where deployments are read."""

    url: HttpUrl = "https://api.github.com"
    token: Secret | None = None


class ArgoCDSettings(Section):
    """Where application histories are read."""

    url: HttpUrl | None = None
    token: Secret | None = None


class PagerDutySettings(Section):
    """Where people are paged."""

    events_url: HttpUrl = "https://events.pagerduty.com"
    api_url: HttpUrl = "https://api.pagerduty.com"
    routing_key: Secret | None = Field(default=None, description="For teams without one of their own.")
    api_token: Secret | None = Field(default=None, description="REST token, to look up incident numbers.")
    from_email: str | None = Field(
        default=None,
        description="A PagerDuty user's address; with it and api_token, reports become notes of incidents.",
    )


class ApprovalSettings(Section):
    """Which tools wait for a person, besides those that always do."""

    tools: list[str] = Field(default_factory=list)
    timeout: float = Field(default=900, gt=0, description="Seconds to wait for a decision.")


class ReportSettings(Section):
    """Where reports go."""

    directory: Path | None = Field(default=None, description="One Markdown file a run.")
    webhook_url: HttpUrl | None = None
    webhook_secret: SigningSecret | None = Field(
        default=None, description="Signs what is posted there, as Standard Webhooks do; whsec_ and base64."
    )
    run_url: RunUrl | None = Field(
        default=None,
        description="Address at which people find a run, such as the Temporal UI's; holds {run}, perhaps {run_id}.",
    )
    team: str | None = Field(
        default=None, description="Paged for a hand-off where no service is named, or its owners cannot be paged."
    )
    page_on_hand_off: bool = Field(
        default=True, description="Page the owning team when a run ends without a conclusion."
    )


class SlackSettings(Section):
    """Where people follow runs and decide, in a channel."""

    url: HttpUrl = "https://slack.com/api"
    token: Secret | None = Field(default=None, description="Bot token, xoxb-...")
    channel: str | None = Field(default=None, description="Id of the channel, for teams without one of their own.")
    signing_secret: Secret | None = Field(default=None, description="Of the Slack app; proves who pressed a button.")


class IntakeSettings(Section):
    """The process that alerts and people's programs speak to, over HTTP."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tokens: dict[str, Secret] = Field(
        default_factory=dict,
        description="Who may start runs and act on them: Authorization: Bearer TOKEN, by the name they act under.",
    )
    patience: float = Field(
        default=0.9, gt=0, le=30, description="Seconds to wait for Temporal; then the sender is told to try again."
    )


class EpisodeSettings(Section):
    """How long the run of a group of alerts stays open, and how many investigate at once."""

    follow_up: float = Field(
        default=86_400, ge=0, description="Seconds for which a run stays open after its report while alerts fire."
    )
    follow_up_rounds: int = Field(default=10, ge=1, description="Rounds that each follow-up question may use.")
    joining: int = Field(default=3, ge=0, description="How often alerts that join after the report are looked into.")
    flapping: int = Field(default=3, ge=2, description="Episodes within flapping_period that make a group flap.")
    flapping_period: float = Field(default=3_600, gt=0, description="Seconds.")
    quiet: float = Field(
        default=1_800, ge=0, description="Seconds without alerts until the run of a group that flaps is over."
    )
    investigations: int = Field(default=5, ge=1, description="Of alerts, at once for each team; the others queue.")
    queue: float = Field(default=3_600, gt=0, description="Seconds to wait in the queue; then people are told.")


class WatchdogSettings(Section):
    """Pages people for accepted alerts without a report; part of the intake, so that it outlives the workers."""

    outage: float = Field(default=300, gt=0, description="Seconds without a worker, or without Temporal.")
    deadline: float | None = Field(
        default=None, gt=0, description="Seconds from an alert to its report; default: what the limits of runs allow."
    )
    journal: Path | None = Field(
        default=Path("watchkeeper-watchdog.db"), description="Keeps what is watched over a restart of the intake."
    )


class WorkerSettings(Section):
    """The worker process."""

    task_queue: str = Field(default="watchkeeper", min_length=1)
    conversation_bytes: int = Field(default=256 * 2**20, ge=2**20)
    shutdown_seconds: float = Field(default=30, ge=0)


class TelemetrySettings(Section):
    """What the processes tell of themselves; traces are switched on by OpenTelemetry's own variables (OTEL_*)."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Where the worker serves /metrics and /healthz; default: nowhere."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Of the log on stderr, one line an event.")
