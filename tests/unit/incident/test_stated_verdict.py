"""The verdict of a report: as stated, or as its form implies."""

from __future__ import annotations

import time

import pytest

from watchkeeper.incident.stated_verdict import VERDICTS, read_verdicts, without_verdict_line

GUIDE = (
    "**Status:** Checkout is degraded — error rate is **18.2%** and p95 latency is **4,200 ms**.\n\n"
    "**Root cause:** Deploy **v2.4.1** went live at 13:30. Logs show a NullPointerException.\n\n"
    "**Action taken:** Paged the checkout on-call engineer and opened **INC-4827**.\n\n"
    "**Recommended immediate next step:** Roll back checkout to **v2.4.0**."
)

LINES = [
    "Verdict: {}",
    "**Verdict:** {}",
    "**Verdict: {}**",
    "# Verdict: {}",
    "> verdict - {}",
    "VERDICT：{}",
    "- Verdict: `{}`.",
    "_Verdict_: {}",
    "__Verdict:__ {}",
    "*Verdict:* {}",
    "1. **Verdict:** {}",
    "- [x] Verdict: {}",
    "🔴 **Verdict:** {}",
    "Verdict: ✅ {}",
    'Verdict: "{}"',
    "Verdict: “{}”",
    "Verdict: [{}]",
    "Verdict → {}",
    "Verdict -> {}",
    "Verdict : {}",
    "Verdict={}",
    "Verdict (of this run): {}",
    "Verdict is {}.",
    "The verdict is: {}",
    "**Final verdict:** {}",
    "Overall verdict: {}, with high confidence",
    "h2. Verdict: {}",
    "=== Verdict: {} ===",
    "\\textbf{{Verdict:}} {}",
    "<b>Verdict:</b> {}",
    "<verdict>{}</verdict>",
    "## Verdict\n\n**{}**",
    "Verdict\n-------\n{}",
    "| Verdict | {} |",
    "| **Verdict** | **{}** |",
    "| Verdict | Cause |\n|---|---|\n| {} | v2.4.1 |",
    "| Cause | Verdict |\n|---|---|\n| v2.4.1 | {} |",
    "| Service | Verdict | Cause |\n|:--|:-:|--:|\n| checkout | **{}** | v2.4.1 |",
    *(f"Verdict {separator} {{}}" for separator in "–—‐‑‒―−⇒⟶➔➡►▶»·•∶꞉﹕~"),
    "Verdict {}",
    "[Verdict] {}",
    "Verdict 1: {}",
    "Ｖｅｒｄｉｃｔ：{}",
    "\u200bVerdict\u200b: {}",
    "Verdict:\u00a0{}",
    "Verdict: the service is {}.",
    "Verdict: It is now {}",
    "Verdict: status {}",
    "Verdict for checkout: {}",
    "Verdict of the investigation: {}",
    "Verdict and cause: {} - v2.4.1",
    "Incident verdict: {}",
    "Conclusion / verdict: {}",
    "In short, the verdict is {}.",
    "Therefore, verdict: {}.",
    "18 % of orders fail. **Verdict: {}**",
    "Verdict: {} (high confidence)",
    "Verdict: {} — since 13:42",
    "<h2>Verdict</h2>\n<p>{}</p>",
    "<p><strong>Verdict:</strong> {}</p>",
    "<tr><td>Verdict</td><td>{}</td></tr>",
    '{{"summary": "pool", "verdict": "{}"}}',
    "{{'verdict': '{}'}}",
]


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("line", LINES)
def test_a_stated_verdict_is_read_in_every_form(line: str, verdict: str) -> None:
    for spelled in (verdict, verdict.capitalize(), verdict.upper()):
        report = f"Summary first.\n\n{line.format(spelled)}\n\nThe cause is a deploy; it recovered and is healthy."
        assert read_verdicts(report) == [verdict]


IMPLIED = [
    (GUIDE, "diagnosed"),
    (
        "The payments service is currently **healthy** with an error rate of **0.2%**. No action is needed.",
        "healthy",
    ),
    ("Cause: deploy v2.4.1.", "diagnosed"),
    ("**Likely cause:** the pool is exhausted.", "diagnosed"),
    ("The errors are caused by the deploy of 13:30.", "diagnosed"),
    ("Errors began due to an expired certificate.", "diagnosed"),
    ("**Cause:** unknown. Error rate is 18.2 %.", "unknown"),
    ("The root cause is still unclear.", "unknown"),
    ("Root cause: TBD", "unknown"),
    ("Root cause: n/a", "unknown"),
    ("Root cause: pending", "unknown"),
    ("Root cause: none found", "unknown"),
    ("Root cause: under investigation", "unknown"),
    ("**Root cause:** to be determined", "unknown"),
    ("It is unclear whether the service is healthy.", "unknown"),
    ("**Root cause:**\n- deploy v2.4.1", "diagnosed"),
    ("Latency is not raised, and the service is healthy.", "healthy"),
    ("It is not the pool; it was caused by the deploy.", "diagnosed"),
    ("The incident is over.", "recovered"),
    ("Payments is healthy: no errors, 64 ms.", "healthy"),
    ("Root cause: the deploy - v2.4.1", "diagnosed"),
    ("Root cause: pending transactions fill the pool.", "diagnosed"),
    ("I could not determine why it failed.", "unknown"),
    ("No root cause was found.", "unknown"),
    ("Checkout has recovered: the error rate is 0.1 % since 14:05. It was caused by a restart.", "recovered"),
    ("The alert is resolved now.", "recovered"),
    ("Nothing is wrong: it is a false alarm, the error rate is 0.1 %.", "healthy"),
    ("No issues with payments: 0.2 % errors.", "healthy"),
]


@pytest.mark.parametrize(("report", "verdict"), IMPLIED)
def test_the_form_of_a_report_implies_its_verdict(report: str, verdict: str) -> None:
    assert read_verdicts(report) == [verdict]


NO_VERDICT = [
    "",
    "Everything is fine.",
    "Fine.",
    "Done.",
    "The service is unhealthy.",
    "It is not healthy, the error rate is 18 %.",
    "It has not recovered.",
    "Error rate is 18.2 %, p95 4,200 ms.",
    "Verdict: probably bad",
    "The verdict is out.",
    "Verdict: not healthy",
    "Verdict: unhealthy",
    "Verdict: un-healthy",
    "Verdict: non-healthy",
    "Verdict: not yet recovered",
    "Verdict: partially recovered",
    "Verdict: probably healthy",
    "Verdict: healthy? I cannot say.",
    "Verdict: healthy is not what the numbers say.",
    "Verdict: pending",
    "Verdict: nobody knows whether it is healthy",
    "Verdict: not sure it is healthy",
    "If the verdict is healthy, close the alert.",
    "| Verdict | Cause |\n|---|---|\n| pending | v2.4.1 |",
    "The verdict could be healthy.",
    "The service might be healthy.",
    "Is it healthy?",
    "It is no longer healthy.",
    "It isn't healthy.",
    "It is neither healthy nor recovered.",
    "If it is healthy, no action is needed.",
    "Once it has recovered, close the alert.",
    "It has not fully recovered.",
    "It has only partially recovered.",
    'The endpoint answers "healthy: false".',
    "The error rate is over 18 %.",
    "Errors are not due to the deploy.",
    "It was not caused by the deploy.",
    "**Root cause:**\n\n**Status:** failing",
]


@pytest.mark.parametrize("report", NO_VERDICT)
def test_a_report_without_a_verdict_has_none(report: str) -> None:
    assert read_verdicts(report) == []


def test_two_stated_verdicts_are_both_read() -> None:
    table = "| Service | Verdict |\n|---|---|\n| a | healthy |\n| b | unknown |"
    assert read_verdicts(table) == ["healthy", "unknown"]
    assert read_verdicts("Verdict: healthy\n\nVerdict: diagnosed\nVerdict: healthy") == ["healthy", "diagnosed"]


@pytest.mark.parametrize(
    "line",
    [
        "healthy or {}",
        "healthy/{}",
        "healthy, {}",
        "healthy | {}",
        "healthy? No, {}",
        "healthy + {}",
        "healthy → {}",
        "either healthy or {}",
    ],
)
def test_two_verdicts_of_one_line_are_both_read(line: str) -> None:
    assert read_verdicts(f"Verdict: {line.format('diagnosed')}") == ["healthy", "diagnosed"]


@pytest.mark.parametrize(
    "piece", ["\n", " \n", "| verdict |\n", "verdict ", " - ", "1 b ", "# verdict\n\n", "not healthy, ", "cause: ", "("]
)
def test_the_time_for_a_report_grows_with_its_length(piece: str) -> None:
    short, long = (_seconds((piece * (size // len(piece) + 1))[:size]) for size in (8_192, 65_536))
    assert long < 0.1 + 24 * short  # with the square of the length: 64 times


def _seconds(text: str) -> float:
    """Return the processor time that a report takes."""
    began = time.process_time()
    read_verdicts(text)
    return time.process_time() - began


def test_only_a_bare_verdict_line_is_removed() -> None:
    report = "Verdict: diagnosed\n\nCheckout fails."
    assert without_verdict_line(report).strip() == "Checkout fails."
    report = "**Verdict:** diagnosed: the deploy of 13:30 broke checkout."
    assert without_verdict_line(report) == report
