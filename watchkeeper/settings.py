"""The operator's settings: ``watchkeeper.toml``, each key overridable by the environment, secrets from either or files.

Read once, at the edge (``load``); everything else is given what it needs. The connection to Temporal is not here: it
is read from Temporal's own environment and configuration file.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as PydanticSettingsError

from watchkeeper.contracts import LimitChanges, Limits
from watchkeeper.usage import Prices

CONFIG_FILE = "watchkeeper.toml"


class SettingsError(Exception):
    """The settings cannot be used; the text names the key, the value and the way out."""


def _http_url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"{url!r} is not an http:// or https:// address")
    return url.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Section(BaseModel):
    """A table of the file; an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelProfile(Section):
    """One model at one OpenAI-compatible endpoint.

    Sampling is left to the host unless ``extra_body`` says otherwise: Kimi K2.6 refuses any temperature but its own.
    """

    base_url: HttpUrl = "https://api.runware.ai/v1"
    name: str = Field(default="moonshotai-kimi-k2-6", min_length=1)
    api_key: SecretStr | None = None
    max_completion_tokens: int | None = Field(default=16_000, ge=1, description="None: the host's default.")
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
    metrics_selector: str | None = Field(default=None, description='PromQL matchers; default service="NAME".')
    logs_selector: str | None = Field(default=None, description='LogQL matchers; default service="NAME".')
    github: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="owner/repository")
    environment: str | None = Field(default=None, description="GitHub deployment environment.")
    argocd: str | None = Field(default=None, description="Argo CD application.")


class Team(Section):
    """A team of people who can be paged."""

    routing_key: SecretStr | None = Field(default=None, description="PagerDuty Events v2 integration key.")


class Prometheus(Section):
    """Where service health comes from, and the metrics that say it."""

    url: HttpUrl | None = None
    token: SecretStr | None = None
    requests_metric: str = "http_requests_total"
    errors_matcher: str = 'code=~"5.."'
    latency_metric: str = Field(default="http_request_duration_seconds", description="A histogram, in seconds.")
    window: str = Field(default="5m", pattern=r"^\d+[smh]$")
    degraded_error_rate: float = Field(default=0.01, gt=0, le=1)
    degraded_p95_ms: float = Field(default=1_000, gt=0)


class Loki(Section):
    """Where logs are searched."""

    url: HttpUrl | None = None
    token: SecretStr | None = None
    tenant: str | None = Field(default=None, description="X-Scope-OrgID")


class GitHub(Section):
    """Where deployments are read."""

    url: HttpUrl = "https://api.github.com"
    token: SecretStr | None = None


class ArgoCD(Section):
    """Where application histories are read."""

    url: HttpUrl | None = None
    token: SecretStr | None = None


class PagerDuty(Section):
    """Where people are paged."""

    events_url: HttpUrl = "https://events.pagerduty.com"
    api_url: HttpUrl = "https://api.pagerduty.com"
    routing_key: SecretStr | None = Field(default=None, description="For teams without one of their own.")
    api_token: SecretStr | None = Field(default=None, description="REST token, to look up incident numbers.")


class Approval(Section):
    """Which tools wait for a person, besides those that always do."""

    tools: list[str] = Field(default_factory=list)
    timeout: float = Field(default=900, gt=0, description="Seconds to wait for a decision.")


class Reports(Section):
    """Where reports go."""

    directory: Path | None = Field(default=None, description="One Markdown file a run.")
    webhook_url: HttpUrl | None = None
    page_on_hand_off: bool = Field(
        default=True, description="Page the owning team when a run ends without a conclusion."
    )


class Worker(Section):
    """The worker process."""

    task_queue: str = Field(default="watchkeeper", min_length=1)
    conversation_bytes: int = Field(default=256 * 2**20, ge=2**20)
    shutdown_seconds: float = Field(default=30, ge=0)


class Settings(BaseSettings):
    """All settings of a process."""

    model_config = SettingsConfigDict(
        env_prefix="WATCHKEEPER_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    model: ModelProfile = ModelProfile()
    fallbacks: list[ModelProfile] = Field(default_factory=list, description="Asked in turn from attempt 4 on.")
    limits: Limits = Limits(rounds=30, tool_calls=60, tokens=400_000, duration=1_800)
    services: dict[str, Service] = Field(default_factory=dict)
    teams: dict[str, Team] = Field(default_factory=dict)
    prometheus: Prometheus = Prometheus()
    loki: Loki = Loki()
    github: GitHub = GitHub()
    argocd: ArgoCD = ArgoCD()
    pagerduty: PagerDuty = PagerDuty()
    approval: Approval = Approval()
    reports: Reports = Reports()
    worker: Worker = Worker()
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Free tables for your own tools.")

    @property
    def profiles(self) -> list[ModelProfile]:
        """The models in the order in which they are asked."""
        return [self.model, *self.fallbacks]

    @property
    def catalogue(self) -> dict[Literal["service", "team"], list[str]]:
        """The operator's own names, as the tools' enumerations, sorted."""
        owners = {service.team for service in self.services.values()}
        return {"service": sorted(self.services), "team": sorted(owners | set(self.teams))}

    def limits_for(self, asked: LimitChanges | None) -> Limits:
        """The limits of a run: the configured ones, each replaced by what its starter asks for."""
        return self.limits.model_copy(update=asked.model_dump(exclude_none=True) if asked else None)

    def routing_key(self, team: str) -> SecretStr | None:
        """The PagerDuty integration key that wakes a team."""
        own = self.teams.get(team, Team()).routing_key
        return own or self.pagerduty.routing_key

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over secret files over arguments: the arguments are the content of ``watchkeeper.toml``."""
        secrets = NestedSecretsSettingsSource(file_secret_settings, secrets_nested_delimiter="__")
        return (env_settings, secrets, init_settings)


def load(path: Path | None = None) -> Settings:
    """Read the settings of this process.

    The file is ``path``, else what WATCHKEEPER_CONFIG names, else ``watchkeeper.toml`` in the working directory, else
    none. Secrets may also stand in files under WATCHKEEPER_SECRETS_DIR, one a key, named as in the environment.

    Raises SettingsError.
    """
    named = path or (Path(os.environ["WATCHKEEPER_CONFIG"]) if os.environ.get("WATCHKEEPER_CONFIG") else None)
    source = named or Path(CONFIG_FILE)
    try:
        content = tomllib.loads(source.read_text(encoding="utf-8")) if named or source.exists() else {}
    except OSError as error:
        raise SettingsError(f"cannot read {str(source)!r}: {error.strerror}; name another with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{source} is not valid TOML: {error}") from error
    try:
        return Settings(_secrets_dir=os.environ.get("WATCHKEEPER_SECRETS_DIR"), **content)
    except ValidationError as error:
        raise SettingsError(f"in {source} or the environment: {_complaints(error)}") from error
    except PydanticSettingsError as error:
        raise SettingsError(f"in the environment: {error}: {error.__cause__}") from error


def _complaints(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc']))}: {_complaint(fault['type'], fault['msg'], fault['input'])}"
        for fault in error.errors(include_url=False)
    )


def _complaint(kind: str, message: str, value: object) -> str:
    if kind == "extra_forbidden":
        return "no such setting"
    # A long or a nested value may hold a secret; a number or a word that failed its check is what to show.
    shown = f" (got {value!r})" if isinstance(value, bool | int | float) else ""
    return f"{message}{shown}"
