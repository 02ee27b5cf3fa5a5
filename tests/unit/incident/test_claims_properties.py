"""Properties of the check of claims: it never fails, it accepts what was read in any unit, and it takes linear time."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watchkeeper.contracts import CallRecord
from watchkeeper.incident.claim_marks import mark
from watchkeeper.incident.claims import Records, unsupported_claims, unsupported_parts

PIECES = """paged I the team checkout was not rolled back to v2.4.1 18.2 % 4,200 ms [r1.0] INC-1 at 13:42 and , . ; ( )
| ` ** " : - # if should errors are falling is healthy NullPointerException Cart.total by dana 400Mi 29 Nov 3 h 5 min"""
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from([*PIECES.split(), "\n"]), max_size=60).map(" ".join)


def health(seed: int) -> tuple[Records, list[str]]:
    """Return records of one read, and sentences that restate each of its values in several forms."""
    rng = random.Random(seed)
    rate, p95, rps = round(rng.uniform(0.01, 0.9), 4), rng.randrange(120, 9_500), round(rng.uniform(1, 900), 1)
    lines, memory = rng.randrange(20, 90_000), rng.randrange(120, 4_000)
    hour, minute, second = rng.randrange(24), rng.randrange(60), rng.randrange(60)
    version = f"{rng.randrange(9)}.{rng.randrange(30)}.{rng.randrange(30)}"
    result = {
        "service": "checkout",
        "error_rate": rate,
        "p95_latency_ms": p95,
        "requests_per_second": rps,
        "total": lines,
        "limits": {"memory": f"{memory}Mi"},
        "version": f"v{version}",
        "at": f"2026-11-29T{hour:02}:{minute:02}:{second:02}Z",
    }
    share = f"{rate * 100:.{rng.randrange(3)}f}"
    clock = rng.choice([f"{hour:02}:{minute:02}", f"{hour:02}:{minute:02} UTC", f"{hour:02}:{minute:02}:{second:02}"])
    latency = rng.choice([f"{p95} ms", f"{p95:,} ms", f"{p95 / 1000:.2f} s", f"{p95 / 1000:.3f} seconds"])
    traffic = rng.choice([f"{rps} requests per second", f"{rps} rps", f"{rps:.0f} req/s", f"{rps} requests/s"])
    limit = rng.choice([f"{memory}Mi", f"{memory} MiB", f"{memory / 1024:.2f} GiB", f"{memory * 1024} KiB"])
    sentences = [
        f"The error rate is {share}{rng.choice([' %', '%', ' percent', ' %'])}.",
        f"The share of failures is {rate}.",
        f"p95 is {latency}.",
        f"It handles {traffic}.",
        f"There are {rng.choice([f'{lines}', f'{lines:,}', f'**{lines}**'])} error lines.",
        f"The limit is {limit}.",
        f"{rng.choice([f'v{version}', version])} is live since {clock}.",
    ]
    return records(json.dumps(result)), sentences


def records(result: str) -> Records:
    call = CallRecord(key="r1.0", name="get_service_health", arguments='{"service":"checkout"}', status="ok")
    return Records(results={"r1.0": result}, calls=[call], tools={"get_service_health": "read"})


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(report=TEXTS, result=TEXTS, words=TEXTS)
def test_any_text_can_be_checked_and_marked(report: str, result: str, words: str) -> None:
    known = Records(
        results={"r1.0": result},
        calls=[CallRecord(key="r1.0", name="page", arguments=words, status="ok")],
        words=[words],
        pages=frozenset({"page"}),
    )
    claims = unsupported_claims(report, known)
    assert all(claim.text in report for claim in claims)
    assert mark(report, claims).replace(" [unsupported]", "") == report.replace(" [unsupported]", "")


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_what_was_read_is_accepted_in_any_unit(seed: int) -> None:
    known, sentences = health(seed)
    assert unsupported_claims("\n".join(sentences), known) == []


@settings(max_examples=100, deadline=None)
@given(result=TEXTS)
def test_a_report_without_facts_is_never_flagged(result: str) -> None:
    report = "I could not find the cause. Nobody was paged. Please look at the dashboards and decide what to do."
    assert unsupported_claims(report, records(result)) == []


def test_another_figure_is_flagged() -> None:
    rng, wrong, flagged = random.Random(12), 0, 0
    for seed in range(1_500):
        known, _ = health(seed)
        _, others = health(10**6 + seed)
        sentence = rng.choice([others[0], *others[2:]])
        wrong += 1
        flagged += bool(unsupported_claims(sentence, known))
    assert flagged / wrong >= 0.95


def long_run() -> tuple[Records, str]:
    """Return 60 results of 64 KB, and a report of 64 KB about them."""
    rng = random.Random(1)
    results = {}
    for number in range(60):
        lines: list[dict[str, str]] = []
        while len(lines) < 320:
            clock = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(999):03}"
            name = f"java.lang.Foo{len(lines)}Exception at Bar.baz{len(lines)}(Bar.java:{rng.randrange(999)})"
            text = f'level=error msg="request {rng.randrange(10**9)} failed" took={rng.randrange(10**5)}ms err="{name}"'
            lines.append({"at": f"2026-11-29T{clock}Z", "line": text, "pod": f"checkout-{rng.randrange(16**8):08x}"})
        results[f"r{number}.0"] = json.dumps({"service": "checkout", "total": len(lines), "lines": lines})
    sentences = []
    for index in range(640):
        line = f"At {rng.randrange(24):02}:{rng.randrange(60):02} Foo{index % 300}Exception in `Bar.baz{index % 300}`, "
        sentences.append(line + f"{rng.randrange(320)} lines [r{index % 60}.0]; nobody was paged.")
    calls = [CallRecord(key=key, name="search_logs", arguments="{}", status="ok") for key in results]
    return Records(results=results, calls=calls, tools={"search_logs": "read"}), "\n".join(sentences)


def test_a_long_report_about_much_is_checked_in_seconds() -> None:
    known, report = long_run()
    assert sum(map(len, known.results.values())) > 3_500_000
    assert len(report) > 48_000
    began = time.process_time()
    unsupported_parts(report, known)
    # Measured: 1.9 s on a machine with eight busy processes for two cores.
    assert time.process_time() - began < 5


REPEATED = [
    *["1 ", "1,234", "a", "a.", "a-1", "aB", "A1-", '"abc ', "`a ", "*", "_", "(", "[a](b", "paged, ", "paged and "],
    *["10:10 ", "1 h ", "1 may ", "deploy by ", "a and ", "5 aaa bbb ", "```\n", "http://a ", "is healthy ", "not "],
    *["if ", "r1.0 ", "INC-1 ", "v1.", "0x", "- ", "> ", "# ", ": ", "; ", "% ", "|", "\n"],
]


@pytest.mark.parametrize("unit", REPEATED)
def test_hostile_repetition_takes_no_long_time(unit: str) -> None:
    report = unit * (16_000 // max(1, len(unit)))
    began = time.process_time()
    mark(report, unsupported_claims(report, records("{}")))
    assert time.process_time() - began < 5
