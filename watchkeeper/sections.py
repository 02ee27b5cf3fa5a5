"""The tables of ``watchkeeper.toml``, each checked when it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from watchkeeper.contracts import Limits
from watchkeeper.hosts.usage import Prices


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError("must be an http:// or https:// address")  # its text may hold a password
    return url.rstrip("/")


def _sendable(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value().strip()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("holds characters that no HTTP header can carry; copy the secret again")
    return SecretStr(text)


def _matchers(selector: str) -> str:
    matchers = selector.strip().removeprefix("{").removesuffix("}").strip()
    if not matchers:
        raise ValueError("holds no matcher")
    return matchers


def _closed(limits: object) -> object:
    if isinstance(limits, dict) and (unknown := sorted(limits.keys() - Limits.model_fields.keys())):
        raise ValueError(f"no such limit: {', '.join(unknown)}; there are: {', '.join(Limits.model_fields)}")
    return limits


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Secret = Annotated[SecretStr, AfterValidator(_sendable)]
RunLimits = Annotated[Limits, BeforeValidator(_closed)]
Matchers = Annotated[str, AfterValidator(_matchers)]
SourceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,49}$")]
"""Stands in the address that alerts are sent to and in the ids of their runs."""


class Section(BaseModel):
    """A table of the file; an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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


class Service(Section):
    """A service of the catalogue: who owns it, and where its health, logs and deploys are found."""

    team: str
    metrics_selector: Matchers | None = Field(default=None, description='PromQL matchers; default service="NAME".')
    logs_selector: Matchers | None = Field(default=None, description='LogQL matchers; default service="NAME".')
    github: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/repository")
    environment: str | None = Field(default=None, description="GitHub deployment environment.")
    argocd: str | None = Field(default=None, description="Argo CD application.")


class Team(Section):
    """A team of people who can be paged."""

    routing_key: Secret | None = Field(default=None, description="PagerDuty Events v2 integration key.")


class Prometheus(Section):
    """Where service health comes from, and the metrics that say it."""

    url: HttpUrl | None = None
    token: Secret | None = None
    requests_metric: str = "http_requests_total"
    errors_matcher: str = 'code=~"5.."'
    latency_metric: str = Field(default="http_request_duration_seconds", description="A histogram, in seconds.")
    window: str = Field(default="5m", pattern=r"^\d+[smh]$")
    degraded_error_rate: float = Field(default=0.01, gt=0, le=1)
    degraded_p95_ms: float = Field(default=1_000, gt=0)


class Loki(Section):
    """Where logs are searched."""

    url: HttpUrl | None = None
    token: Secret | None = None
    tenant: str | None = Field(default=None, description="X-Scope-OrgID")


class GitHub(Section):
    """Where deployments are read."""

    url: HttpUrl = "https://api.github.com"
    token: Secret | None = None


class ArgoCD(Section):
    """Where application histories are read."""

    url: HttpUrl | None = None
    token: Secret | None = None


class PagerDuty(Section):
    """Where people are paged."""

    events_url: HttpUrl = "https://events.pagerduty.com"
    api_url: HttpUrl = "https://api.pagerduty.com"
    routing_key: Secret | None = Field(default=None, description="For teams without one of their own.")
    api_token: Secret | None = Field(default=None, description="REST token, to look up incident numbers.")


class Approval(Section):
    """Which tools wait for a person, besides those that always do."""

    tools: list[str] = Field(default_factory=list)
    timeout: float = Field(default=900, gt=0, description="Seconds to wait for a decision.")


class Reports(Section):
    """Where reports go."""

    directory: Path | None = Field(default=None, description="One Markdown file a run.")
    webhook_url: HttpUrl | None = None
    team: str | None = Field(
        default=None, description="Paged for a hand-off where no service is named, or its owners cannot be paged."
    )
    page_on_hand_off: bool = Field(
        default=True, description="Page the owning team when a run ends without a conclusion."
    )


class Worker(Section):
    """The worker process."""

    task_queue: str = Field(default="watchkeeper", min_length=1)
    conversation_bytes: int = Field(default=256 * 2**20, ge=2**20)
    shutdown_seconds: float = Field(default=30, ge=0)
