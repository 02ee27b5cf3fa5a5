"""The tables of ``watchkeeper.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from watchkeeper.config.field_types import HttpUrl, Matchers, RunUrl, Secret, Section, SigningSecret, TokenLimit
from watchkeeper.config.host_presets import PresetName, with_preset
from watchkeeper.config.model_connection import ModelConnection


class Prices(Section):
    """Price of a model's tokens, in US dollars per million."""

    input: float = Field(ge=0, allow_inf_nan=False, description="Prompt tokens that were not cached.")
    cached_input: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Cached prompt tokens; default: as input."
    )
    output: float = Field(ge=0, allow_inf_nan=False, description="Completion tokens, including reasoning tokens.")


class ModelProfile(ModelConnection):
    """One model at one OpenAI-compatible endpoint.

    Sampling parameters are only sent if ``extra_body`` has them: Kimi K2.6 refuses any temperature except its default.
    """

    preset: PresetName | None = Field(
        default=None, description="Host whose address and manners are known. Default: by the domain of base_url."
    )
    name: str = Field(default="moonshotai-kimi-k2-6", min_length=1)
    max_completion_tokens: TokenLimit = Field(
        default=16_000, description='Most tokens of one completion, fitted to the window. "none": the host\'s default.'
    )
    context_tokens: int = Field(
        default=262_144, ge=1_024, description="The model's context window: prompt and completion."
    )
    deadline: float = Field(default=120, gt=0, le=3_600, description="Total seconds for one request.")
    stream: bool = Field(
        default=False, description="Stream completions, for hosts or proxies that cut a connection without traffic."
    )
    stream_idle: float = Field(
        default=60, gt=0, le=3_600, description="Most seconds between two parts of a stream, after the first one."
    )
    extra_body: dict[str, Any] = Field(default_factory=dict, description="Merged into every request.")
    forced_choice_body: dict[str, Any] = Field(
        default_factory=dict,
        description="Merged into requests that force a tool: Moonshot accepts them only with thinking disabled.",
    )
    prices: Prices | None = None

    @model_validator(mode="before")
    @classmethod
    def _apply_preset(cls, profile: Any) -> Any:
        return with_preset(profile) if isinstance(profile, dict) else profile


class ServiceSettings(Section):
    """A service of the catalogue: the team that owns it, and where its metrics, logs and deploys are."""

    team: str
    metrics_selector: Matchers | None = Field(default=None, description='PromQL matchers; default service="NAME".')
    logs_selector: Matchers | None = Field(default=None, description='LogQL matchers; default service="NAME".')
    github: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/repository")
    environment: str | None = Field(default=None, description="GitHub deployment environment.")
    argocd: str | None = Field(default=None, description="Argo CD application.")
    depends_on: list[str] = Field(
        default_factory=list,
        description="Services of the catalogue that it calls. Their owners may be paged for it without approval.",
    )


class TeamSettings(Section):
    """A team that owns services and can be paged."""

    routing_key: Secret | None = Field(default=None, description="PagerDuty Events v2 integration key.")
    slack_channel: str | None = Field(default=None, description="Id of the team's channel, instead of slack.channel.")


class PrometheusSettings(Section):
    """The Prometheus server, and the metrics that show the health of services."""

    url: HttpUrl | None = None
    token: Secret | None = None
    requests_metric: str = "http_requests_total"
    errors_matcher: str = 'code=~"5.."'
    latency_metric: str = Field(default="http_request_duration_seconds", description="A histogram, in seconds.")
    window: str = Field(default="5m", pattern=r"^\d+[smh]$")
    degraded_error_rate: float = Field(default=0.01, gt=0, le=1)
    degraded_p95_ms: float = Field(default=1_000, gt=0)


class LokiSettings(Section):
    """The Loki server for logs."""

    url: HttpUrl | None = None
    token: Secret | None = None
    tenant: str | None = Field(default=None, description="X-Scope-OrgID")


class GitHubSettings(Section):
    """The GitHub API for deployments."""

    url: HttpUrl = "https://api.github.com"
    token: Secret | None = None


class ArgoCDSettings(Section):
    """The Argo CD server for deployment histories."""

    url: HttpUrl | None = None
    token: Secret | None = None


class PagerDutySettings(Section):
    """PagerDuty, which pages people."""

    events_url: HttpUrl = "https://events.pagerduty.com"
    api_url: HttpUrl = "https://api.pagerduty.com"
    routing_key: Secret | None = Field(default=None, description="Integration key for teams without their own.")
    api_token: Secret | None = Field(default=None, description="REST API token, to look up incidents.")
    from_email: str | None = Field(
        default=None,
        description="Email of a PagerDuty user. With it and api_token, reports are added to incidents as notes.",
    )


class ApprovalSettings(Section):
    """Which tools need a person's approval, in addition to the tools that always need it."""

    tools: list[str] = Field(default_factory=list)
    timeout: float = Field(default=900, gt=0, description="Seconds to wait for a decision.")
    page: bool = Field(
        default=False, description="Page the run's team with the severity warning while a call waits for a decision."
    )


class ReportSettings(Section):
    """Where reports are delivered."""

    directory: Path | None = Field(default=None, description="Directory that gets one Markdown file for each run.")
    webhook_url: HttpUrl | None = None
    webhook_secret: SigningSecret | None = Field(
        default=None, description="Signs the webhook requests (Standard Webhooks): whsec_ and base64."
    )
    run_url: RunUrl | None = Field(
        default=None,
        description="Link to a run, for example in the Temporal UI; contains {run} and optionally {run_id}.",
    )
    team: str | None = Field(
        default=None, description="Team to page for a hand-off without a service, or whose owner cannot be paged."
    )
    page_on_hand_off: bool = Field(
        default=True, description="Page the owning team when a run ends without a conclusion."
    )


class SlackSettings(Section):
    """The Slack channel in which people follow runs and approve calls."""

    url: HttpUrl = "https://slack.com/api"
    token: Secret | None = Field(default=None, description="Bot token, xoxb-...")
    channel: str | None = Field(default=None, description="Id of the channel for teams without their own.")
    signing_secret: Secret | None = Field(
        default=None, description="Signing secret of the Slack app, which authenticates button presses."
    )
    mention: str = Field(
        default="channel",
        pattern=r"^(channel|here|none|S[A-Z0-9]{4,})$",
        description="Who is notified of a waiting approval: channel, here (members who are active), none, or the id of "
        "a user group.",
    )


class IntakeSettings(Section):
    """The HTTP process that receives alerts and requests."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    tokens: dict[str, Secret] = Field(
        default_factory=dict,
        description="Clients that may start runs and act on them: their name, and their token (Bearer TOKEN).",
    )
    hosts: list[str] = Field(
        default_factory=list,
        description="Host names that are served beside localhost where only this machine is: by `dev`, and by the API "
        "without tokens. For a tunnel to `dev`, for example.",
    )
    patience: float = Field(
        default=0.9, gt=0, le=30, description="Seconds to wait for Temporal; then the sender is asked to retry."
    )


class EpisodeSettings(Section):
    """How long the run of an alert group stays open, and how many runs investigate at once."""

    follow_up: float = Field(
        default=86_400, ge=0, description="Seconds that a run stays open after its report while alerts fire."
    )
    follow_up_rounds: int = Field(default=10, ge=1, description="Rounds for each follow-up question.")
    joining: int = Field(
        default=3, ge=0, description="How often a run investigates alerts that join its group after the report."
    )
    flapping: int = Field(default=3, ge=2, description="Episodes within flapping_period that make a group flapping.")
    flapping_period: float = Field(default=3_600, gt=0, description="Seconds in which episodes are counted.")
    quiet: float = Field(
        default=1_800, ge=0, description="Seconds without alerts after which the run of a flapping group ends."
    )
    investigations: int = Field(
        default=5, ge=1, description="Alert investigations of one team at once; other runs wait in a queue."
    )
    queue: float = Field(default=3_600, gt=0, description="Seconds to wait in the queue; then people are notified.")


class WatchdogSettings(Section):
    """Pages people for accepted alerts without a report. It runs in the intake, so it works without workers."""

    outage: float = Field(
        default=300, gt=0, description="Seconds without a worker, Temporal or progress until people are paged."
    )
    deadline: float | None = Field(
        default=None, gt=0, description="Seconds from an alert to its report. Not set: follows from the run limits."
    )
    journal: Path | None = Field(
        default=Path("watchkeeper-watchdog.db"), description="File that keeps the watched alerts across restarts."
    )


class WorkerSettings(Section):
    """The worker process."""

    task_queue: str = Field(default="watchkeeper", min_length=1)
    conversation_bytes: int = Field(default=256 * 2**20, ge=2**20)
    shutdown_seconds: float = Field(default=30, ge=0)


class TelemetrySettings(Section):
    """Metrics and logs of the processes. OpenTelemetry's own variables (OTEL_*) configure traces."""

    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port for /metrics and /healthz of the worker. Not set: none."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Format of the log on stderr.")
