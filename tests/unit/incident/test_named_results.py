"""An answer names what was read: a call, a figure, a name; and nothing that every text has by chance."""

from __future__ import annotations

import pytest

from watchkeeper.incident.named_results import names_a_result

RESULTS = {
    "r1.0": '{"call":"r1.0","error_rate":0.182,"p99":4.2,"requests":12345,"memory":419430400,"errors":0,"delta":-37,'
    '"version":"v2.4.1","at":"2026-11-30T09:13:42Z","ok":true}',
    "r2.0": '{"call":"r2.0","text":"p50 88 ms at 09:15, 3 pods; no errors since 2026-11-29"}',
}

NAMED = [
    "The error rate is 18.2 %.",
    "The error rate is 18 %.",
    "The error rate is 0.182.",
    "p99 is 4.2 s.",
    "p99 is 4,200 ms.",
    "It took 12,345 requests.",
    "It took 12.3k requests.",
    "Memory is at 400 MiB.",
    "Version v2.4.1 runs.",
    "p50: 88 ms.",
    "It fell by 37.",
    "All 3 pods are ready.",
    "The latest read shows no problem [r2.0].",
]
UNNAMED = [
    "0 problems.",
    "0.0 % errors, 0 restarts.",
    "No errors at 09:13.",
    "No errors since 2026-11-29.",
    "Looked at r7.0.",
    "All is well as of 2026-11-30T09:13:42Z.",
    "Service x2 and host-12345 are fine.",
    "17 checks passed.",
    "",
]


@pytest.mark.parametrize("answer", NAMED)
def test_figures_names_and_calls_of_a_result_count(answer: str) -> None:
    assert names_a_result(f"Verdict: healthy\n\n{answer}", RESULTS)


@pytest.mark.parametrize("answer", UNNAMED)
def test_what_stands_there_by_chance_does_not_count(answer: str) -> None:
    assert not names_a_result(f"Verdict: healthy\n\n{answer}", RESULTS)


@pytest.mark.parametrize("result", ["", "not JSON", "null", "NaN", "1e999", "[]", '{"a":{"b":[null,true]}}', '"0"'])
def test_results_of_any_form_are_read(result: str) -> None:
    assert not names_a_result("Verdict: healthy. 7 checks passed.", {"r1.0": result})
