"""Answers that report nothing: requests to the reader and announcements of work."""

from __future__ import annotations

import pytest

from watchkeeper.incident.answer_form import announces_work, asks_reader, ends_with_announcement

ANNOUNCEMENTS = [
    "I will now check the logs.",
    "I'll check the logs now.",
    "Let me check the logs of checkout.",
    "Let me look into this.",
    "Okay, let me first get the health of checkout.",
    "I'm going to investigate the checkout service.",
    "I need to look at the deploys first.",
    "Next, I'll query Prometheus for the error rate.",
    "Checking the logs now...",
    "Looking at the deploys…",
    "I am checking the service health.",
    "Sure! Let me investigate. One moment.",
    "**Let me pull the logs.**",
    "- I will check health\n- I will check logs\n- I will check deploys",
    "Now I will page the team.",
    "We will start by reviewing the recent deploys.",
    "Let's see what the logs say.",
]

REQUESTS = [
    "Could you please provide the logs of checkout?",
    "Please share the error messages.",
    "Which service do you mean?",
    "I need more information to proceed.",
    "Can you tell me when it began?",
    "To help, I need access to the dashboards.",
    "What is the name of the failing service? Do you have a trace id?",
    "Sorry. I don't have access to your systems. Please provide the metrics.",
    "Would you like me to page the team?",
    "Let me know which service is affected.",
    "- Please send the alert.\n- Please send the logs.",
]

REPORTS = [
    "**Status:** checkout is degraded, 18.2 % errors.\n\n**Next step:** roll back to v2.4.0.",
    "Checkout fails since 13:42 because of deploy v2.4.1. I paged the checkout team. Please roll back to v2.4.0.",
    "The error rate is 18.2 %. Could you confirm with the database team that the pool was resized?",
    "Verdict: diagnosed\n\nThe pool is exhausted.\n\nLet me know if you want me to look at the history as well.",
    "Cause: expired certificate. Next: we should check every other certificate that expires this week.",
    "The payments service is healthy with an error rate of 0.2 %.",
    "Nobody was paged. I could not find out whether a deploy caused this: deploys were not looked at.",
    "1. Check the pool.\n2. Restart one pod.\n3. Look at the error rate again.",
    "`let me check` is the log line that all 40 workers wrote before they died at 14:02.",
]


@pytest.mark.parametrize("answer", ANNOUNCEMENTS)
def test_an_announcement_of_work_is_recognized(answer: str) -> None:
    assert announces_work(answer)
    assert not asks_reader(answer)


@pytest.mark.parametrize("answer", REQUESTS)
def test_a_request_to_the_reader_is_recognized(answer: str) -> None:
    assert asks_reader(answer)


@pytest.mark.parametrize("answer", REPORTS)
def test_a_report_is_neither(answer: str) -> None:
    assert not announces_work(answer)
    assert not asks_reader(answer)
    assert not ends_with_announcement(answer)


def test_an_answer_that_ends_with_an_announcement_is_recognized() -> None:
    assert ends_with_announcement("The error rate of checkout is 18.2 % since 13:42 today. Let me check the logs.")
    assert not ends_with_announcement("Let me check the logs.\n\nThe logs show nothing since 13:42.")
