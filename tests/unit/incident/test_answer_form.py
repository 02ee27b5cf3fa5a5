"""Answers that report nothing: requests to the reader and announcements of work."""

from __future__ import annotations

import time

import pytest

from watchkeeper.incident.answer_form import announces_work, asks_reader, ends_with_announcement, says_nothing

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
    "I'll go ahead and check the logs.",
    "I will proceed with checking the logs.",
    "Alright, I'm now going to pull the logs for checkout.",
    "I'd like to check the logs next.",
    "I plan to check the deploys and the logs.",
    "My plan: check health, then logs, then deploys.",
    "Plan:\n1. Check health\n2. Check logs\n3. Check deploys",
    "Here is my investigation plan:\n- Get the health\n- Search the logs",
    "Step 1: get the service health.",
    "To diagnose this, let me gather the logs.",
    "Before I conclude, I want to look at the logs.",
    "The next step is to check the logs.",
    "I'm about to query the logs.",
    "I'll get back to you shortly.",
    "Let me think about this step by step.",
    "Fetching logs for checkout.",
    "Calling tool get_service_health.",
    "Calling tool search_logs with arguments",
    "Running diagnostics now.",
    "I shall examine the logs.",
    "Time to look at the logs.",
    "Will investigate and report.",
    "I can check the logs for you.",
    "It looks like I need to check the logs first.",
    "Since the alert is critical, I will check the logs.",
    "First, I'll check the health. Then, I'll look at the logs. Finally, I'll page someone if needed.",
    "Getting the service health...",
    "Proceeding to check the logs.",
    "Moving on to the logs.",
    "My first step is to get the service health.",
    "The first thing I'll do is check the service health.",
    "Allow me to check the logs.",
    "Allow me a moment to investigate.",
    "Gonna check the logs.",
    "Lemme check the logs.",
    "About to query Prometheus.",
    "I'm calling get_service_health now.",
    "I am invoking page_engineer.",
    "I will now write the report.",
    "Let me summarize the findings.",
    "I'll notify the team and continue.",
    "I'll keep monitoring.",
    "Here's what I'll do:\n1. Check the health\n2. Search the logs",
    "Investigation steps:\n1. Check health of checkout\n2. Check logs of checkout",
    "## Plan\n1. Check health of checkout\n2. Search logs of checkout",
    "I will do the following checks:\n- health of checkout\n- logs of checkout\n- deploys of checkout",
    "I think we should check the logs first.",
    "We need to look at the deploys.",
    "I would start with the logs of checkout.",
    "It would be best to check the logs next.",
    "Sto controllando i log.",
    "Ik ga nu de logs controleren.",
    "Сейчас я проверю логи.",
    "Sprawdzę teraz logi.",
    "로그를 확인하겠습니다.",
    "请稍等，我正在检查日志。",
    "正在检查日志……",
    "Ich werde jetzt die Logs prüfen.",
    "Je vais vérifier les journaux.",
    "Voy a revisar los registros.",
    "Vou verificar os logs.",
    "我来检查日志。",
    "让我查看一下日志。",
    "ログを確認します。",
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
    "Can I get the logs of checkout?",
    "May I ask which environment this is?",
    "Hello! How can I assist you with checkout today?",
    "How would you like to proceed?",
    "Please run kubectl get pods and paste the output.",
    "Kindly provide the logs.",
    "Share the error messages with me.",
    "It would be helpful if you could share the logs.",
    "If you share the logs, I can help.",
    "I am unable to access the logs. Can you share them?",
    "More details are needed to diagnose the issue.",
    "Waiting for your input.",
    "Feel free to share more details.",
    "Please provide:\n- service name\n- time window\n- error messages of checkout",
    "I need the following from you:\n\n* Logs of checkout from the last hour\n* Recent deployments of checkout",
    "Just let me know the service name and I'll start.",
    "Once you provide the logs, I can continue.",
    "Without the logs, I cannot say more. Please attach them.",
    "Any additional context would be appreciated.",
    "Thanks for the alert. To investigate I need the service name.",
    "Hi team, can anyone share the logs for checkout?",
    "Please advise.",
    "I will need more data before I can draw a conclusion. Please provide the logs.",
    "Ich brauche die Logs, um weiterzumachen.",
    "Пожалуйста, предоставьте логи.",
    "Bitte senden die Logs an mich.",
    "Könnten Logs geschickt werden?",
    "Pouvez-vous me fournir les journaux ?",
    "¿Puede proporcionar los registros?",
    "请提供日志。",
    "ログを提供してください。",
]

COURTESIES = [
    "",
    "Okay.",
    "Understood. One moment.",
    "Working on it...",
    "I have started the investigation and will report back.",
    "On it!",
    "Investigation in progress.",
    "Give me a moment to check.",
    "I'm sorry, but I can't help with that.",
    "As an AI language model, I cannot access your systems.",
    "Thank you! Ready when you are.",
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
    "Rolling back v2.4.1 fixes it; the deploy at 13:30 caused the errors.",
    "Running pods: 3 of 3, all ready; the error rate is 0.2 %.",
    "Checking the logs showed errors since the deploy, all of one kind.",
    "We are seeing 18.2 % errors since the deploy of v2.4.1.",
    "I can see 37 errors since 14:02.",
    "I can find no errors.",
    "Running pods and services look normal.",
    "Yes.",
    "3 pods.",
    "No deploys in the last 24 hours.",
    "Page the payments team if the error rate rises above 5 %.",
    "Is the pool exhausted? Yes: 140 of 100 connections wait.",
    "Is checkout healthy? Yes, with 0.2 % errors.",
    "Next steps:\n1. Roll back checkout to v2.4.0.\n2. Check that the error rate falls below 1 %.",
    "The pool is exhausted since 13:42 today. We should look at its size.",
    "We are running out of connections since the deploy of v2.4.1.",
    "Cause: v2.4.1. Next step: roll back to v2.4.0. I will keep the incident INC-4827 open.",
    "Moving on from v2.4.1 to v2.4.2 fixed the error rate, which is 0.1 % now.",
    "Please roll back:\n- checkout to v2.4.0, which was deployed at 13:30\n- payments to v1.9.2",
    "Plan of the rollback: v2.4.0 is deployed by 15:00; the cause was v2.4.1.",
    "18% 的订单失败，原因是 v2.4.1 部署。请回滚到 v2.4.0。",
    "**状态：** 18% 的订单失败，原因是部署。\n\n请提供更多日志。",
    "Bitte v2.4.1 zurückrollen: seit dem Deploy schlagen 18 % der Bestellungen fehl.",
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


@pytest.mark.parametrize("answer", COURTESIES)
def test_courtesies_say_nothing(answer: str) -> None:
    assert says_nothing(answer)


@pytest.mark.parametrize("answer", REPORTS)
def test_a_report_says_something(answer: str) -> None:
    assert not says_nothing(answer)


@pytest.mark.parametrize(
    "piece",
    ["\n", " \n", "now next ", "ok, ", "let me ", "plan: ", "`a", "> \n", "to a, ", "please ", "用。", "checking "],
)
def test_the_time_for_an_answer_grows_with_its_length(piece: str) -> None:
    short, long = (_seconds((piece * (size // len(piece) + 1))[:size]) for size in (8_192, 65_536))
    assert long < 0.1 + 24 * short  # with the square of the length: 64 times


def _seconds(text: str) -> float:
    """Return the processor time that an answer takes."""
    began = time.process_time()
    asks_reader(text)
    announces_work(text)
    return time.process_time() - began
