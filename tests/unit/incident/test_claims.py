"""The check of claims: one test for each kind."""

from __future__ import annotations

import json

import pytest

from watchkeeper.contracts import CallRecord, PageRecord
from watchkeeper.incident.claims import Records, unsupported_claims

HEALTH = {"service": "orders", "status": "degraded", "error_rate": 0.087, "p95_latency_ms": 2650, "window": "5m"}
DEPLOYS = {"service": "orders", "deploys": [{"version": "v5.2.0", "deployed_at": "2026-03-04T08:10:00Z", "by": "noor"}]}
PAGE = {"team": "orders", "status": "triggered", "incident": "INC-310"}


def records(*, page: str | None = None) -> Records:
    results = {"r1.0": json.dumps(HEALTH), "r1.1": json.dumps(DEPLOYS)}
    calls = [
        CallRecord(key="r1.0", name="get_service_health", arguments='{"service":"orders"}', status="ok"),
        CallRecord(key="r1.1", name="get_deploys", arguments='{"service":"orders"}', status="ok"),
    ]
    if page == "ok":
        results["r2.0"] = json.dumps(PAGE)
        sent = PageRecord(team="orders", incident="INC-310")
        calls.append(CallRecord(key="r2.0", name="page_engineer", arguments="{}", status="ok", page=sent))
    elif page == "denied":
        calls.append(CallRecord(key="r2.0", name="page_engineer", arguments='{"team":"orders"}', status="denied"))
    return Records(
        results=results,
        calls=calls,
        words=["HighErrorRate on orders since 2026-03-04T08:14:00Z"],
        tools={"get_service_health": "read", "get_deploys": "read", "page_engineer": "keyed"},
        pages={"page_engineer"},
        services=["orders", "billing"],
    )


@pytest.mark.parametrize(
    ("report", "page", "unsupported"),
    [
        ("The error rate is 8.7 %, p95 2.65 s.", None, []),
        ("The error rate is 0.087 %.", None, ["0.087 %"]),
        ("p95 is 2,650 s.", None, ["2,650 s"]),
        ("v5.2.0 by noor at 08:10.", None, []),
        ("v5.3.0 by zed at 09:45.", None, ["v5.3.0", "zed", "09:45"]),
        ("Paged the orders team (INC-310).", "ok", []),
        ("Paged the billing team (INC-310).", "ok", ["billing team"]),
        ("Paged the orders team (INC-311).", "ok", ["INC-311"]),
        ("The orders team has been notified.", "denied", ["notified"]),
        ("Nobody was paged: dana denied it.", "denied", []),
        ("billing is healthy.", None, ["billing"]),
        ("A `StackOverflowError` in Cart.total [r9.1].", None, ["StackOverflowError", "Cart.total", "r9.1"]),
        ("There were no deploys of orders.", None, ["no deploys"]),
        ("No deploys since 08:14.", None, []),
        ("Paged the **billing** team (INC-310).", "ok", ["billing** team"]),
        ("Paged: orders and billing (INC-310)", "ok", ["billing"]),
        ("Pages: billing.", None, ["billing"]),
        ("Rollback: done", None, ["Rollback: done"]),
        ("I skipped the message.", None, ["skipped"]),
        ("I looked at the message.", None, []),
        ("91.3 % of the requests succeed.", None, []),
        ("## Next steps\n- **Timeout:** raise it to 30 s", None, []),
        ("The deploy, 4 minutes before 08:14, is the trigger: v5.1.9.", None, ["v5.1.9"]),
        ("**Trigger:** release v5.1.9 of orders", None, ["v5.1.9"]),
        ("Log: `connection reset, page retired by peer`", None, ["connection reset, page retired by peer"]),
        ("Roll back within 20 minutes; if errors stay above 3 %, page billing.", None, []),
    ],
)
def test_a_claim_is_flagged_unless_a_record_supports_it(report: str, page: str | None, unsupported: list[str]) -> None:
    assert [claim.text for claim in unsupported_claims(report, records(page=page))] == unsupported
