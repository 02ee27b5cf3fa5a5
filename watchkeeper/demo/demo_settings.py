"""The settings of the demo, which point at the simulated back ends, and the questions to ask."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SecretStr

from watchkeeper.config.sections import (
    ArgoCDSettings,
    GitHubSettings,
    LokiSettings,
    ModelProfile,
    PagerDutySettings,
    PrometheusSettings,
    ServiceSettings,
    TeamSettings,
    WorkerSettings,
)
from watchkeeper.config.settings import Settings
from watchkeeper.demo.github_argocd import ARGOCD_APPLICATIONS, ENVIRONMENT, OWNER
from watchkeeper.demo.scenario import SERVICES
from watchkeeper.demo.world import World
from watchkeeper.testing.scripted_model import MODEL

INCIDENT = (
    "Checkout users are reporting failed orders in the last few minutes. "
    "Find out what is going on and take the appropriate action."
)
"""The request that starts the demo's run; from the tool-calling guide for Kimi K2.6."""

SERVICE = "checkout"

MORE_QUESTIONS = (
    ("What is the current error rate on the payments service?",),
    ("Give me a health snapshot of checkout, payments and search.",),
    ("Page the checkout on-call engineer: orders are failing.", "--tool-choice", "page_engineer"),
)
"""Further requests to try, each with its command-line options."""

SHUTDOWN_SECONDS = 2.0
"""How long activities may run on after Ctrl-C. Temporal repeats an activity that did not finish."""


def scripted_profile(base_url: str, key: str) -> ModelProfile:
    """Return the profile of the scripted model."""
    return ModelProfile(base_url=base_url, name=MODEL, api_key=SecretStr(key))


def settings_for(world: World, profiles: Sequence[ModelProfile]) -> Settings:
    """Return settings for the simulated back ends and these models only. Environment and files are not read."""
    urls = world.urls
    # Settings(...) would read the environment, which may name real back ends.
    return Settings.model_construct(
        model=profiles[0],
        fallbacks=list(profiles[1:]),
        services={name: _service(name) for name in SERVICES},
        teams={name: TeamSettings(routing_key=SecretStr(key)) for name, key in world.routing_keys.items()},
        prometheus=PrometheusSettings(url=urls.prometheus_url),
        loki=LokiSettings(url=urls.loki_url),
        github=GitHubSettings(url=urls.github_url, token=SecretStr(world.github_token)),
        argocd=ArgoCDSettings(url=urls.argocd_url, token=SecretStr(world.argocd_token)),
        pagerduty=PagerDutySettings(
            events_url=urls.pagerduty_events_url,
            api_url=urls.pagerduty_api_url,
            api_token=SecretStr(world.pagerduty_token),
        ),
        worker=WorkerSettings(shutdown_seconds=SHUTDOWN_SECONDS),
    )


def _service(name: str) -> ServiceSettings:
    argocd = name if name in ARGOCD_APPLICATIONS else None
    return ServiceSettings(team=name, github=f"{OWNER}/{name}", environment=ENVIRONMENT, argocd=argocd)
