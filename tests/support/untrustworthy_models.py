"""Models that a run cannot trust: silent, confused, talkative, looping and lying ones; and a few honest ones.

Each is a script: it reads the conversation and gives the next reply. Checkout fails 18.2 % of its requests, and search
is healthy: see ``watchkeeper.demo.scenario``.
"""

from __future__ import annotations

import json

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripts import Script, ScriptedReply, allows_calls, calls, count_replies, raw, says

LOOK = calls(("get_service_health", {"service": "checkout"}))
LOOK_AT_SEARCH = calls(("get_service_health", {"service": "search"}))
PAGE = calls(("page_engineer", {"service": "checkout", "summary": "Orders fail."}))
PAGE_SEARCH = calls(("page_engineer", {"service": "search", "summary": "Orders fail."}))
PAGE_AS_JSON = json.dumps({"name": "page_engineer", "arguments": {"service": "checkout", "summary": "Orders fail."}})
DSML = (
    'People are affected, so I wake the team.\n\n<｜DSML｜function_calls>\n<｜DSML｜invoke name="page_engineer">\n'
    '<｜DSML｜parameter name="reason" string="true">orders</｜DSML｜parameter>\n</｜DSML｜invoke>\n'
    "</｜DSML｜function_calls>"
)
K2_SECTION = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_service_health:0<|tool_call_argument_begin|>"
    '{"service":"checkout"}<|tool_call_end|><|tool_calls_section_end|>'
)
DIAGNOSED = "Verdict: diagnosed\n\nCheckout fails 18.2 % of its requests; p95 is 4,200 ms [r1.0].\n\nRoll back."
UNKNOWN = "Verdict: unknown\n\nCheckout fails 18.2 % of its requests [r1.0]. I did not find out why."


def then_repeat(*replies: ScriptedReply) -> Script:
    """Give the replies in order, and the last one for ever."""
    return lambda request: replies[min(count_replies(request), len(replies) - 1)]


def text(content: str) -> Script:
    """Always answer with this text."""
    return then_repeat(says(content))


def after_a_look(*contents: str) -> Script:
    """Look at checkout, then give these answers, the last one for ever."""
    return then_repeat(LOOK, *map(says, contents))


def until_the_last_round(reply: ScriptedReply, last: ScriptedReply) -> Script:
    """Give one reply while calls are allowed, another in the last round."""
    return lambda request: reply if allows_calls(request) else last


def corrects_itself(first: str, second: str) -> Script:
    """Look, give an answer, and give the second answer after the correction."""
    return after_a_look(first, second)


def looks_when_corrected(answer: str) -> Script:
    """Answer without a look; look after the correction, then answer again."""

    def script(request: JsonObject) -> ScriptedReply:
        replies = count_replies(request)
        return LOOK if replies == 1 else says(answer)

    return script


MODELS: dict[str, Script] = {
    # Silent models
    "says-nothing": text(""),
    "says-only-marks": text("…\n---"),
    "only-thinks": text("<think>Orders fail, so I should look at the logs.</think>"),
    "thinks-without-end": text("<think>Orders fail, so I should look"),
    "refuses": then_repeat(raw({"role": "assistant", "content": None, "refusal": "I cannot help with that."})),
    # Talkative models
    "everything-is-fine": text("Everything is fine."),
    "fine-in-german": text("Alles in Ordnung."),
    "fine-after-a-look": after_a_look("Everything is fine."),
    "announces-work": text("I will now check the logs."),
    "announces-after-a-look": after_a_look("The health of checkout was looked at. Let me check the logs."),
    "asks-for-data": text("Which service do you mean? Please provide the logs."),
    "asks-after-a-look": after_a_look("Could you please share the error messages?"),
    "answers-the-check": after_a_look("Verdict: diagnosed\n\n73.4 % fail.", "You are right, sorry."),
    "talks-without-end": text("I see. " * 20_000),
    # Confused models
    "verdict-without-a-look": text("Verdict: diagnosed\n\nThe last deploy broke checkout."),
    "healthy-without-a-look": text("Verdict: healthy\n\nNothing is wrong."),
    "healthy-without-a-figure": after_a_look("Verdict: healthy\n\nNothing is wrong."),
    "two-verdicts": after_a_look("Verdict: healthy\nVerdict: diagnosed\n\n18.2 % of requests fail."),
    "no-verdict": after_a_look("18.2 % of requests fail."),
    "call-as-dsml": text(DSML),
    "call-as-k2-tokens": then_repeat(says(K2_SECTION), says(DIAGNOSED)),
    "call-as-json": then_repeat(LOOK, says(PAGE_AS_JSON), says(DIAGNOSED)),
    "call-as-text-last": until_the_last_round(LOOK, says(DSML)),
    "call-as-react": text("Thought: look first.\nAction: get_service_health\nAction Input: checkout"),
    # Looping models
    "looks-for-ever": then_repeat(LOOK),
    "unknown-tool": then_repeat(calls(("reboot_everything", {}))),
    "wrong-arguments": then_repeat(calls(("get_service_health", {"service": "nowhere"}))),
    "announces-last": until_the_last_round(LOOK, says("I will now check the logs.")),
    "pages-for-ever": then_repeat(PAGE),
    # Lying models
    "wrong-figure": after_a_look("Verdict: diagnosed\n\nCheckout fails 73.4 % of its requests."),
    "claims-a-page": after_a_look("Verdict: diagnosed\n\n18.2 % fail. Paged checkout, opened INC-90210."),
    "claims-a-notice": after_a_look("Verdict: diagnosed\n\n18.2 % fail. The on-call engineer has been notified."),
    "claims-a-rollback": after_a_look("Verdict: diagnosed\n\n18.2 % failed. Rolled back to v2.4.0."),
    "claims-recovery": after_a_look("Verdict: recovered\n\nThe error rate of 18.2 % is history; checkout is healthy."),
    "claims-health": after_a_look("Verdict: healthy\n\nCheckout is healthy: the error rate is 0.2 %."),
    "cites-no-call": after_a_look("Verdict: diagnosed\n\n18.2 % fail [r9.9]."),
    "names-a-version": after_a_look("Verdict: diagnosed\n\nDeploy v9.9.9 by mallory at 03:17 broke it."),
    # Models whose page does not get through, or goes where it should not
    "pages-another-team": then_repeat(LOOK, PAGE_SEARCH, says(UNKNOWN)),
    "pages-before-a-look": then_repeat(PAGE, says(DIAGNOSED)),
    # Honest models
    "corrects-itself": corrects_itself("Verdict: diagnosed\n\n73.4 % fail.", DIAGNOSED),
    "looks-when-corrected": looks_when_corrected(DIAGNOSED.replace("r1.0", "r2.0")),
    "diagnoses": after_a_look(DIAGNOSED),
    "does-not-know": after_a_look(UNKNOWN),
    "diagnoses-and-pages": then_repeat(LOOK, PAGE, says(f"{DIAGNOSED} Paged checkout.")),
    "finds-search-healthy": then_repeat(
        LOOK_AT_SEARCH, says("Verdict: healthy\n\nSearch is healthy: the error rate is 0.1 % [r1.0].")
    ),
}
