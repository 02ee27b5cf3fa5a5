from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.thought import thought_spans, without_thought

ANSWER = "**Status:** 18 % of orders fail.\n\n**Next step:** roll back."
THOUGHT = "I wonder what they want. Let me see.\nNo tools are needed."

PAIRS = [
    *((f"<{name}>", f"</{name}>") for name in ("think", "thinking", "thought", "thoughts", "reasoning", "reflection")),
    *((f"<{name}>", f"</{name}>") for name in ("scratchpad", "inner_monologue", "seed:think", "x:thinking")),
    *(
        ("<THINK>", "</THINK>"),
        ("<Think>", "</think>"),
        ("<thinking>", "</think>"),
        ("<think >", "</think >"),
    ),
    *(
        ('<think budget="512">', "</think>"),
        ('<think\nbudget="512">', "</think>"),
        ("◁think▷", "◁/think▷"),
        ("[THINK]", "[/THINK]"),
    ),
    *(("<|begin_of_thought|>", "<|end_of_thought|>"), ("<|START_THINKING|>", "<|END_THINKING|>")),
    *(
        ("<|think|>", "<|/think|>"),
        ("<｜begin▁of▁thought｜>", "<｜end▁of▁thought｜>"),
        ("<|thinking|>", "</|thinking|>"),
    ),
    *(("<|channel>thought\n", "<channel|>"), ("<unused94>thought\n", "<unused95>")),
    *((f"<{name}>", f"</{name}>") for name in ("internal_thoughts", "redacted_thinking", "reasoning_process")),
    *((f"<{name}>", f"</{name}>") for name in ("mm:think", "my_thoughts", "reasoning_content", "think_never_used_51")),
    *(
        ("<|im_think|>", "<|/im_think|>"),
        ("<|inner_prefix|>", "<|inner_suffix|>"),
        ("＜think＞", "＜/think＞"),
        ("&lt;think&gt;", "&lt;/think&gt;"),
        ("◁THINK▷", "◁/THINK▷"),
        ("[REASONING]", "[/REASONING]"),
    ),
    *(("<|open|>think<|sep|>", "<|close|>think<|sep|>"), ("<think>\n<think>", "</think>")),
    *(
        (f"<{name}>", f"</{name}>")
        for name in ("thinks", "reflections", "scratch-pad", "chain-of-thought", "self-reflection")
    ),
    *(
        (f"<{name}>", f"</{name}>")
        for name in ("inner-thoughts", "thinking-process", "ThinkingProcess", "innerThoughts")
    ),
    *(("< think >", "< /think >"), ("\\<think\\>", "\\</think\\>"), ("<think>", "<\\/think>")),
    *(("<|startofthink|>", "<|endofthink|>"), ("【think】", "【/think】"), ("<!-- think -->", "<!-- /think -->")),
]


@pytest.mark.parametrize(("begin", "end"), PAIRS)
def test_marked_thoughts_are_no_answer(begin: str, end: str) -> None:
    assert without_thought(f"{begin}{THOUGHT}{end}{ANSWER}") == ANSWER
    assert without_thought(f" {begin}\n{THOUGHT}\n{end}\n\n{ANSWER}\n") == ANSWER
    assert without_thought(f"{ANSWER}\n\n{begin}{THOUGHT}{end}") == ANSWER
    assert without_thought(f"{begin}a{end}One.{begin}b{end} Two.") == "One. Two."
    assert without_thought(f"{begin}{THOUGHT}{end}") == ""
    assert without_thought(f"{begin}{end}{ANSWER}") == ANSWER


@pytest.mark.parametrize(("begin", "end"), PAIRS)
def test_half_a_thought_is_no_answer(begin: str, end: str) -> None:
    assert without_thought(f"{THOUGHT}\n{end}\n\n{ANSWER}") == ANSWER
    assert without_thought(f"{THOUGHT}{end}{ANSWER}") == ANSWER
    assert without_thought(f"{end}\n\n{ANSWER}") == ANSWER
    assert without_thought(f"{THOUGHT}\n{end}") == ""
    assert without_thought(f"{begin}{THOUGHT}") == ""
    assert without_thought(f"{ANSWER}\n{begin}{THOUGHT}") == ANSWER
    assert without_thought(f"{begin}a{end}{ANSWER}\n{begin}{THOUGHT}") == ANSWER


@pytest.mark.parametrize(
    "text",
    [
        f"<think>a<think>b</think>c</think>{ANSWER}",
        f"<think>a</think>b</think>{ANSWER}",
        f"<think>It shows `</think>` here.</think>{ANSWER}",
        f"<think>a</think>\n{ANSWER}\n</think>",
        f"<think>a</think><answer>{ANSWER}</answer>",
        f"<think>a</think>\n<response>\n{ANSWER}\n</response>",
        f"<|begin_of_thought|>a<|end_of_thought|><|begin_of_solution|>{ANSWER}<|end_of_solution|>",
        f"<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>{ANSWER}<|END_RESPONSE|>",
        f"<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"<|channel|>analysis<|message|>a<|channel|>final<|message|>{ANSWER}",
        f"a<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        f"<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}",
        f"<|channel|>final<|message|>{ANSWER}<|end|>",
        f"<|channel|>final <|constrain|>markdown<|message|>{ANSWER}",
        f"<|channel|>analysisWe need a report.<|end|><|start|>assistant<|channel|>final{ANSWER}",
        f"<|channel|>thought\nI wonder.\n<|channel|>final\n{ANSWER}",
        f"analysisWe need a report.assistantfinal{ANSWER}",
        f"analysisWe need 'x'.assistant final{ANSWER}",
        f"Here is my thought process:\n\nI wonder.\n\nHere is my response:\n\n{ANSWER}",
        f"Here are my reasoning steps:\nI wonder.\n[BEGIN FINAL RESPONSE]\n{ANSWER}\n[END FINAL RESPONSE]",
        f"Thought: I know enough.\nFinal Answer: {ANSWER}",
        f"**Thought:** I know enough.\n**Final Answer:** {ANSWER}",
        f"**Thinking:**\nI wonder.\n\n**Answer:**\n{ANSWER}",
        f"# Thinking\n\nI wonder.\n\n# Final Response\n\n{ANSWER}",
        f"Thinking...\nI wonder.\n...done thinking.\n\n{ANSWER}",
        f"```thinking\nI wonder.\n```\n\n{ANSWER}",
        f"{ANSWER}\n\n```think\nI wonder.",
        f'<details type="reasoning" done="true">\n<summary>Thought for 2 s</summary>\n> a\n</details>\n{ANSWER}',
        f"<details>\n<summary>Thinking</summary>\nI wonder.\n</details>\n{ANSWER}",
        f"<analysis>\nI wonder.\n</analysis>\n\n{ANSWER}",
        f"<plan>I look.</plan><answer>{ANSWER}</answer>",
        f"<rationale>I wonder.</rationale>\n{ANSWER}",
        f"thought\n{ANSWER}",
        f"{ANSWER}<|im_end|>",
        f"{ANSWER}<｜end▁of▁sentence｜>",
        f"{ANSWER}</s>",
        f"<|im_start|>assistant\n{ANSWER}<|im_end|>\n",
        f"<|start_header_id|>assistant<|end_header_id|>\n\n{ANSWER}<|eot_id|>",
    ],
)
def test_only_the_answer_remains(text: str) -> None:
    assert without_thought(text) == ANSWER


def test_a_backtick_in_a_thought_does_not_hide_its_end() -> None:
    assert without_thought("<think>a ` b</think>\nRoll back to `2.4.0`.") == "Roll back to `2.4.0`."


@pytest.mark.parametrize(
    "text",
    [
        "<|channel|>analysis<|message|>I wonder.",
        "<|channel|>analysis<|message|>I wonder.<|end|>",
        "analysisWe need to look.",
        "<think>",
        "</think>",
        "<think></think>\n",
    ],
)
def test_nothing_remains(text: str) -> None:
    assert without_thought(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        ANSWER,
        f"  {ANSWER}\n",
        "The gateway shows `<think>` and `</think>` to people since 12:03.",
        f"{ANSWER}\n\n```\n12:03 <think>I wonder</think>\n```\n\nIt began at 12:03.",
        f"{ANSWER}\n\n> 12:03 <think>I wonder\n\nIt began at 12:03.",
        "The gateway writes <think> and </think> around thoughts.",
        "The gateway leaks </think> into answers.",
        "Write <think> first.",
        "<thinker><id>7</id></thinker> is the answer of the back end; <thoughtful/> is empty.",
        "<error><reason>OOMKilled</reason></error> is the answer of the back end.",
        "I think the thinking of the scheduler is wrong: [think again].",
        "My thought: roll back. The reasoning: 2.4.1 broke it.",
        "Analysis: the deploy broke it.",
        "analysis of the logs shows 37 errors.",
        f"<analysis>\n{ANSWER}\n</analysis>",
        f"<details>\n<summary>Logs</summary>\n12:03 ERROR\n</details>\n\n{ANSWER}",
        f"```json\n{{}}\n```\n\n{ANSWER}",
        f"**Reasoning:**\nThe deploy broke it.\n\n**Response:**\n{ANSWER}",
    ],
)
def test_other_texts_do_not_change(text: str) -> None:
    assert without_thought(text) == text


SNIPPETS = [
    *(mark for pair in PAIRS for mark in pair),
    "`",
    "```",
    "\n",
    "\n\n",
    "> ",
    " ",
    "a",
    ".",
    "<|channel|>",
    "final",
]


@given(st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=6), max_size=20).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_text(text: str) -> None:
    spans = thought_spans(text)
    flat = [place for span in spans for place in span]
    assert flat == sorted(flat)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert len(without_thought(text)) <= len(text)


@pytest.mark.parametrize(
    "piece",
    [
        *SNIPPETS,
        "<",
        "</",
        "<a:",
        "` ",
        "```\n",
        "thought: ",
        "<|im_end|>",
        "> x\n",
        "<think ",
        "<details reasoning>",
        "<plan>",
        "&lt;",
    ],
)
def test_the_time_for_a_text_grows_with_its_length(piece: str) -> None:
    short, long = (_seconds((piece * (size // len(piece) + 1))[:size]) for size in (8_192, 65_536))
    assert long < 0.1 + 24 * short  # with the square of the length: 64 times


def _seconds(text: str) -> float:
    """Return the processor time that a text takes."""
    began = time.process_time()
    without_thought(text)
    return time.process_time() - began
