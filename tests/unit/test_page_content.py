"""What a page says: code's facts first, the model's words last and marked, within PagerDuty's limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.contracts import Incident
from watchkeeper.demo.pagerduty_state import PagerDutyState
from watchkeeper.page_content import MAX_LINKS, SUMMARY_CHARACTERS, is_web_address, page_content

INCIDENT = Incident(title="HighErrorRate: checkout fails", service="checkout", severity="critical")


def test_the_facts_come_first_and_the_models_words_last() -> None:
    incident = INCIDENT.model_copy(update={"measured": ["older: 1", "newest: 2"]})
    content = page_content(incident, {}, reason="no conclusion", model_says="It was me.")
    assert content.summary == (
        "HighErrorRate: checkout fails · checkout · critical · no conclusion · measured: newest: 2; older: 1"
        " · the model: It was me."
    )


def test_what_is_not_known_is_left_out() -> None:
    content = page_content(Incident(title="Is search slow?"), {"run": "run-1", "call": None})
    assert (content.summary, content.details) == ("Is search slow?", {"run": "run-1"})


@pytest.mark.parametrize(
    ("severity", "sent"),
    [
        ("critical", "critical"),
        ("error", "error"),
        ("warning", "warning"),
        ("info", "info"),
        ("P1", "critical"),
        ("major", "error"),
        ("minor", "warning"),
        ("debug", "info"),
        ("burning", "error"),
        ("", "error"),
        (None, "error"),
    ],
)
def test_the_severity_follows_the_alert(severity: str | None, sent: str) -> None:
    assert page_content(INCIDENT.model_copy(update={"severity": severity}), {}).severity == sent


texts = st.text(max_size=3_000)


@given(
    title=st.text(min_size=1, max_size=2_000),
    service=st.none() | st.text(max_size=200),
    severity=st.none() | st.text(max_size=200),
    measured=st.lists(texts, max_size=3),
    links=st.dictionaries(st.text(max_size=20), st.text(max_size=50) | st.just("https://x.example/a"), max_size=20),
    reason=texts,
    says=texts,
    run_url=st.none() | st.text(max_size=50),
)
def test_pagerduty_accepts_every_page(
    title: str,
    service: str | None,
    severity: str | None,
    measured: list[str],
    links: dict[str, str],
    reason: str,
    says: str,
    run_url: str | None,
) -> None:
    incident = Incident(title=title, service=service, severity=severity, measured=measured, links=links)
    content = page_content(incident, {"run": "r"}, reason=reason, model_says=says, run_url=run_url)
    event = {
        "routing_key": "k" * 32,
        "event_action": "trigger",
        "dedup_key": "d",
        "client": "Watchkeeper",
        "payload": {
            "summary": content.summary,
            "source": "watchkeeper",
            "severity": content.severity,
            "custom_details": content.details,
        },
        "links": [{"href": url, "text": text} for text, url in content.links.items()],
        **({"client_url": content.run_url} if content.run_url else {}),
    }
    assert PagerDutyState({"checkout": "k" * 32}).find_faults(event) == []
    assert len(content.links) <= MAX_LINKS


def test_long_facts_leave_room_for_the_reason_and_the_model() -> None:
    incident = Incident(title="t" * 2_000, service="s" * 100, severity="critical", measured=["m" * 500] * 3)
    content = page_content(incident, {}, model_says="The cause is the deploy.")
    assert len(content.summary) <= SUMMARY_CHARACTERS
    assert content.summary.endswith(" · the model: The cause is the deploy.")


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("https://wiki.example/a?b=c#d", True),
        ("http://10.0.0.1:9090/graph", True),
        ("javascript:alert(1)", False),
        ("file:///etc/passwd", False),
        ("https://", False),
        ("https:///path", False),
        ("https://a b/", False),
        ("https://x.example/\nb", False),
        ("https://[", False),
        ("/relative", False),
        ("https://x.example/" + "a" * 3_000, False),
    ],
)
def test_only_web_addresses_are_links(url: str, valid: bool) -> None:
    assert is_web_address(url) is valid
    sent = page_content(INCIDENT.model_copy(update={"links": {"runbook": url}}), {}, run_url=url)
    assert (bool(sent.links), bool(sent.run_url)) == (valid, valid)


def test_links_have_the_names_that_people_know() -> None:
    links = {"source": "https://prom.example/g", "runbook": "https://wiki.example", "silence": "https://am.example"}
    sent = page_content(INCIDENT.model_copy(update={"links": links}), {}, run_url="https://ui.example/r")
    assert sent.links == {
        "Run": "https://ui.example/r",
        "Alert": "https://prom.example/g",
        "Runbook": "https://wiki.example",
        "Silence": "https://am.example",
    }
