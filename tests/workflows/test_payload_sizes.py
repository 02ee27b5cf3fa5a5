"""Sizes of recorded data: everything fits in the limits of Temporal, which would retry a larger step without end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import get_args
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from tests.support.harness import Nothing, failure, run_harness
from tests.support.oversized_workflow import Oversized
from watchkeeper.alerts.builder import make_alert
from watchkeeper.contracts import (
    AlertNotification,
    AlertOrigin,
    Briefing,
    BudgetUsed,
    CallRecord,
    CarriedConversation,
    CarriedState,
    Contract,
    Decision,
    Destination,
    EpisodeMemo,
    FollowUpState,
    Limits,
    ModelRequest,
    ReportDelivery,
    RunInput,
    RunResult,
    TextEntry,
    ToolRequest,
    ToolResult,
    ToolSpec,
    Usage,
)
from watchkeeper.incident.alert_text import for_model
from watchkeeper.incident.compact_alerts import MAX_TITLED_ALERTS, firing_ids, short_firing_ids
from watchkeeper.incident.episode import MAX_MESSAGES, MAX_TRACKED_ALERTS, MAX_UNREAD, Episode
from watchkeeper.incident.handled_firings import remembered_alerts
from watchkeeper.incident.report import ANSWER_BYTES, alert_facts, concluded_report, hand_off_report
from watchkeeper.llm.completion import MAX_MESSAGE_BYTES, read_completion
from watchkeeper.llm.conversation import canonical_json, conversation_digest
from watchkeeper.llm.tool_calls import MAX_ARGUMENT_BYTES, MAX_CALLS
from watchkeeper.prompts import prompt
from watchkeeper.temporal.activity_options import HISTORY_BOUNDS
from watchkeeper.temporal.client import DATA_CONVERTER, PAYLOAD_BYTES, PayloadsTooLarge
from watchkeeper.testing.scripts import says
from watchkeeper.text import ERROR_BYTES, excerpt
from watchkeeper.tool import ToolContext, tool
from watchkeeper.tool_calling.catalogue import catalogue_digest
from watchkeeper.tool_calling.definition import MAX_RESULT_BYTES
from workflows.incident import IncidentWorkflow
from workflows.outcome import REASON_BYTES
from workflows.tool_calls import ARGUMENT_BYTES, FINDING_BYTES, MAX_RECORDS
from workflows.updates import NAME_CHARACTERS, REMARK_CHARACTERS, UNREAD_BYTES

STEP_BYTES = 4 * 2**20
HISTORY_BYTES = 50 * 2**20
"""Temporal terminates a run whose workflow task or history is larger. Such a run ends without a report."""


def size(value: object) -> int:
    (payload,) = DATA_CONVERTER.payload_converter.to_payloads([value])
    return len(payload.data)


@pytest.mark.parametrize("excess", [1, 2_000_000])
def test_a_payload_too_large_is_refused_with_its_type_and_size(excess: int) -> None:
    longest = "x" * (PAYLOAD_BYTES - len('{"content":""}'))
    assert size(ToolResult(content=longest)) == PAYLOAD_BYTES
    with pytest.raises(PayloadsTooLarge) as error:
        size(ToolResult(content=longest + "x" * excess))
    message = f"ToolResult: {PAYLOAD_BYTES + excess:,} bytes are too many to record; at most 2,000,000"
    assert str(error.value) == message


async def test_an_input_too_large_is_refused_by_the_client(client: Client) -> None:
    name = f"incident-{uuid4()}"
    with pytest.raises(PayloadsTooLarge, match=r"RunInput: 3,000,011 bytes are too many to record"):
        await client.start_workflow(
            IncidentWorkflow.run, RunInput.model_construct(text="x" * 3_000_000), id=name, task_queue="none"
        )
    with pytest.raises(RPCError) as unknown:
        await client.get_workflow_handle(name).describe()
    assert unknown.value.status == RPCStatusCode.NOT_FOUND


def carried_state(
    unread_texts: list[str], question: str = "Why?", tools: list[ToolSpec] | None = None, conclude: str = ""
) -> CarriedState:
    """The state of a run that continues as new."""
    messages = [{"role": "user", "content": question}]
    briefing = Briefing(
        opening=[],
        tools=tools or [],
        catalogue=catalogue_digest(tools or []),
        limits=Limits(rounds=99, tool_calls=99, tokens=10**9, duration=10**9),
        model="scripted",
        model_deadline=5,
        history=HISTORY_BOUNDS,
        destinations=["log", "directory"],
        nudge=prompt("nudge"),
        conclude=conclude,
    )
    return CarriedState(
        briefing=briefing,
        conversation=CarriedConversation(messages=messages, digest=conversation_digest(messages)),
        limits=briefing.limits,
        spent=BudgetUsed(rounds=1),
        started_at=time.time(),
        words=unread_texts,
    )


async def test_a_run_whose_next_step_is_too_large_ends_with_a_report(client: Client, tmp_path: Path) -> None:
    async with run_harness(client, [says("never asked")], reports={"directory": tmp_path}) as harness:
        # A message in a request takes ten times as many bytes as in the list of unread messages.
        run = await harness.start(service="checkout", carried=carried_state(["x"] * 70_000))
        kind, message, result = await failure(run)
    assert (kind, result.status, harness.model.requests) == ("Bug", "failed", [])
    assert "PayloadsTooLarge: ModelRequest: 2," in message
    assert "bytes are too many to record; at most 2,000,000" in message
    assert "PayloadsTooLarge" in (tmp_path / f"{run.id}.md").read_text()


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        ("argument", "PayloadsTooLarge", "str: 3,000,002 bytes are too many to record; at most 2,000,000"),
        ("memo", "PayloadsTooLarge", "str: 3,000,002 bytes are too many to record; at most 2,000,000"),
        ("result", "PayloadsTooLarge", "str: 3,000,002 bytes are too many to record; at most 2,000,000"),
        ("detail", "Wrong", "it went wrong"),
    ],
)
async def test_a_payload_too_large_fails_the_workflow(client: Client, place: str, kind: str, message: str) -> None:
    async with Worker(client, task_queue=f"test-{uuid4()}", workflows=[Oversized]) as worker:
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(Oversized.run, place, id=f"{uuid4()}", task_queue=worker.task_queue)
    error = failed.value.cause
    assert isinstance(error, ApplicationError)
    assert (error.type, error.message, error.details) == (kind, message, ())


async def test_a_catalogue_too_large_to_record_ends_a_run_at_once(client: Client, tmp_path: Path) -> None:
    async def explained(args: Nothing, context: ToolContext) -> None: ...

    explained.__doc__ = "Use it " + "well " * 500_000
    tools = {"explained": tool(effect="read")(explained)}
    async with run_harness(client, [], tools=tools, reports={"directory": tmp_path}) as harness:
        run = await harness.start()
        kind, message, result = await failure(run)
        attempts = [
            event.activity_task_started_event_attributes.attempt
            async for event in run.fetch_history_events()
            if event.HasField("activity_task_started_event_attributes")
        ]
    assert (kind, result.status) == ("PayloadsTooLarge", "failed")
    assert message.startswith("brief failed: Briefing: 2,50")
    assert set(attempts) == {1}
    assert "brief failed" in (tmp_path / f"{run.id}.md").read_text()


# --- the largest values that a run records ------------------------------------------------------------------------

WORST_CHARACTER = "\x01"
"""One byte of text, six bytes of JSON. In a text that is already JSON the worst character is a backslash: two bytes."""

MAX_UPDATES = 2_000
"""Largest number of updates in one execution."""

MESSAGES = {
    "control characters": [WORST_CHARACTER * 8_000] * (UNREAD_BYTES // 48_003),
    "empty lines": ["\n" * 8_000] * (UNREAD_BYTES // 16_003),
    "many": [f"{number:124}" for number in range(MAX_UPDATES)],
}
CALLS = [
    CallRecord(
        key=f"r99999.{number}",
        name="x" * 64,
        arguments=excerpt("\\" * 9_000, ARGUMENT_BYTES),
        status="ok",
        finding=excerpt(WORST_CHARACTER * 9_000, FINDING_BYTES),
    )
    for number in range(MAX_RECORDS)
]
LARGEST_INPUT = RunInput(text=WORST_CHARACTER * 100_000, service="s" * 150, severity=WORST_CHARACTER * 150)
CONCLUDED = WORST_CHARACTER * 170_000
TOOL = ToolSpec(
    name="x" * 64, description="x" * 1_000, parameters={"x": "x" * 4_000}, effect="read", timeout=1, attempts=4
)


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
def test_the_largest_messages_from_people_fit_the_unread_limit(messages: list[str]) -> None:
    assert UNREAD_BYTES * 0.9 < len(canonical_json(messages)) <= UNREAD_BYTES


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
@pytest.mark.parametrize(
    "answer", [WORST_CHARACTER * 170_000, "\n" * 262_143 + "x"], ids=["control characters", "empty lines"]
)
def test_the_largest_report_fits_for_all_destinations_in_one_step(messages: list[str], answer: str) -> None:
    destinations = get_args(Destination)
    for report in (
        concluded_report(answer, CALLS, messages),
        hand_off_report(LARGEST_INPUT, CALLS, WORST_CHARACTER * REASON_BYTES, answer, messages),
    ):
        delivery = ReportDelivery(
            destination="directory",
            run="r" * 36,
            workflow_id="w" * 1_000,
            status="limit_reached",
            report=report,
            reason=WORST_CHARACTER * REASON_BYTES,
            service=LARGEST_INPUT.service,
            severity=LARGEST_INPUT.severity,
        )
        result = RunResult(
            status="limit_reached",
            report=report,
            rounds=1,
            tool_calls=1,
            usage=Usage(),
            reason=delivery.reason,
            undelivered=[WORST_CHARACTER * ERROR_BYTES] * len(destinations),
        )
        assert size(delivery) * len(destinations) < STEP_BYTES
        assert size(result) < PAYLOAD_BYTES


def largest_group(alerts: int) -> Episode:
    """Return a group of this number of different alerts, each as large as a sender can make it."""
    labels = {f"label{n}": "v" * 90 for n in range(60)}
    alert_list = [
        make_alert(
            "s" * 50,
            now=0,
            group="g" * 200,
            fingerprint=f"{n:0200}",
            status="firing",
            title="é" * 300,
            starts_at=n,
            episode=f"{n:0100}",
            description="d" * 3_000,
            labels=labels,
            severity="s" * 50,
            as_of=n * 10**15 + 123_456,
            late_for=120.0,
        )
        for n in range(alerts)
    ]
    episode = Episode()
    episode.apply(AlertNotification(alerts=alert_list, at=0, tracked=MAX_TRACKED_ALERTS, unlisted=0))
    return episode


def test_the_largest_alert_group_fits_in_prompt_delivery_and_memo() -> None:
    episode = largest_group(MAX_TRACKED_ALERTS + 100)
    assert (len(episode.titled), len(episode.compact), episode.untracked, len(episode.unread)) == (
        MAX_TITLED_ALERTS,
        MAX_TRACKED_ALERTS - MAX_TITLED_ALERTS,
        100,
        MAX_UNREAD,
    )
    assert len(for_model(episode.take_unread(), prompt("began"), ["n" * 500] * 100).encode()) < 64 * 2**10
    origin = AlertOrigin(source="s" * 50, kind="k" * 50, group="g" * 200, team="t" * 150)
    run_input = RunInput(text="x" * 300, origin=origin)
    report = concluded_report("x" * ANSWER_BYTES, CALLS, ["y" * 32_000], alert_facts(run_input, episode))
    delivery = ReportDelivery(destination="page", run="r" * 36, workflow_id="w" * 70, status="concluded", report=report)
    delivery = delivery.model_copy(update={"origin": origin, "alerts": episode.states[:20], "question": "q" * 2_000})
    assert size(delivery) * len(get_args(Destination)) < STEP_BYTES
    memo = EpisodeMemo(status="concluded", summary=report.summary, began=[1.5] * 20, marks=firing_ids(episode.states))
    kept = {"alerts": remembered_alerts(episode.titled), "messages": ["m" * 11] * MAX_MESSAGES}
    memo = memo.model_copy(update=kept)
    assert size(memo) < 20_000
    assert size(memo.model_copy(update={"more": short_firing_ids(episode.states)})) < 20_000 + 6 * MAX_TRACKED_ALERTS


def test_the_largest_state_of_an_open_run_fits_in_a_payload() -> None:
    episode = largest_group(MAX_TRACKED_ALERTS)
    keys = [state.fingerprint for state in episode.states]
    report = concluded_report("x" * ANSWER_BYTES, CALLS, ["y" * 32_000])
    room = HISTORY_BOUNDS.carried_bytes - len(canonical_json([episode.compact, [*keys, *keys]]))
    assert room > 100_000
    state = carried_state([], "x" * room, [TOOL] * 20).model_copy(
        update={
            "calls": CALLS,
            "alerts": episode.titled,
            "compact": episode.compact,
            "unlisted": 10**6,
            "unread": episode.unread,
            "reported": FollowUpState(report=report, at=0, question="q" * 2_000, joined=keys, noticed=keys),
        }
    )
    assert size(RunInput(text="x" * 300, carried=state)) < PAYLOAD_BYTES


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
def test_the_largest_request_to_a_model_fits_in_a_payload(messages: list[str]) -> None:
    error = canonical_json({"error": WORST_CHARACTER * (NAME_CHARACTERS + REMARK_CHARACTERS + 100)}).decode()
    rejected = [TextEntry(role="tool", content=error) for _ in range(MAX_CALLS)]
    user_entries = [TextEntry(role="user", content=text) for text in messages]
    request = ModelRequest(round=99_999, base="d" * 22, append=[*rejected, *user_entries], catalogue="c" * 22)
    assert size(request) < PAYLOAD_BYTES


@pytest.mark.parametrize("messages", MESSAGES.values(), ids=MESSAGES)
def test_the_largest_carried_state_fits_in_a_payload(messages: list[str]) -> None:
    state = carried_state(messages, "x" * HISTORY_BOUNDS.carried_bytes, [TOOL] * 20).model_copy(update={"calls": CALLS})
    assert size(LARGEST_INPUT.model_copy(update={"text": "x" * 100_000, "carried": state})) < PAYLOAD_BYTES


@pytest.mark.parametrize(
    "largest",
    [
        LARGEST_INPUT,
        ToolResult(content="\\" * MAX_RESULT_BYTES, cut=10**9),
        ToolRequest(run="r" * 36, arguments="\\" * MAX_ARGUMENT_BYTES),
        Decision(
            call="r99999.31",
            approved=True,
            by=WORST_CHARACTER * NAME_CHARACTERS,
            note=WORST_CHARACTER * REMARK_CHARACTERS,
        ),
    ],
    ids=lambda largest: type(largest).__name__,
)
def test_the_largest_of_each_other_contract_fits_in_a_payload(largest: Contract) -> None:
    assert size(largest) < PAYLOAD_BYTES


def test_the_largest_round_fits_into_a_history_at_its_limit() -> None:
    results = MAX_CALLS * size(ToolResult(content="\\" * MAX_RESULT_BYTES))
    reply_and_calls, closing = 2 * PAYLOAD_BYTES, STEP_BYTES + PAYLOAD_BYTES
    assert HISTORY_BOUNDS.bytes + results + reply_and_calls + closing < HISTORY_BYTES


def test_the_largest_reply_fits_in_a_payload() -> None:
    calls = [{"id": f"c{n}", "function": {"name": "nothing", "arguments": "{"}} for n in range(MAX_CALLS)]
    message = {"role": "assistant", "content": WORST_CHARACTER * 160_000, "tool_calls": calls}
    tools = {f"{n:064}": dict[str, object]() for n in range(100)}
    body = canonical_json({"choices": [{"message": message, "finish_reason": "tool_calls"}]})
    reply = read_completion(body, tools=tools, tools_allowed=True, prompt_bytes=0)
    assert len(reply.problems) == MAX_CALLS
    assert 900_000 < len(canonical_json(reply.message)) <= MAX_MESSAGE_BYTES
    assert size(reply) < PAYLOAD_BYTES
