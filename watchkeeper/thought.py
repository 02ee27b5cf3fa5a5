"""Find the thoughts of a model that its host left in a reply, and remove them (pure).

Thoughts are recognised by the shape of their marks, not by the model: a tag, a token or a bracket with a word for
thinking in it, or a channel. Templates often write the beginning into the prompt, so a text may have only the end. A
mark in code is a quotation, and so is one in the middle of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from watchkeeper.code_spans import CodeSpan, code_spans, masked

_BAR = "[|｜]"
_WORD = "(?:(?:re)?think(?:ing|s)?|thoughts?|reasoning|reflections?|scratch[_-]?pad|monologue|chain[_-]of[_-]thoughts?)"
_BEFORE = r"(?:[\w-]{1,20}[:_-]|inner|internal)?(?:(?:begin|start)[_▁ ]?(?:of[_▁ ]?)?)?"
_BEGIN = rf"{_BEFORE}{_WORD}(?:[_-]\w{{1,60}}|process|steps?)?"
_END = rf"(?:[\w-]{{1,20}}:)?(?:end[_▁ ]?(?:of[_▁ ]?)?{_WORD}|{_WORD}_end)"
_OPEN, _CLOSE = r"\\?(?:<|＜|&lt;)\s?", r"\s?\\?(?:>|＞|&gt;)"
_MARK = re.compile(
    rf"(?P<end>{_OPEN}\\?/\s?{_BEGIN}{_CLOSE}|<{_BAR}/{_BEGIN}{_BAR}?>|</{_BAR}{_BEGIN}{_BAR}>|<{_BAR}?{_END}{_BAR}?>"
    rf"|◁/{_BEGIN}▷|[\[【]/{_BEGIN}[\]】]|<!--\s?/{_BEGIN}\s?-->|\[{_END}\]|<{_BAR}close{_BAR}>\s?{_WORD}\s?<{_BAR}sep{_BAR}>|<channel{_BAR}>"
    r"|<unused95>|<\|inner_suffix\|>)"
    rf"|{_OPEN}{_BEGIN}(?:\s[^<>]{{0,200}})?{_CLOSE}|<{_BAR}{_BEGIN}{_BAR}?>|◁{_BEGIN}▷|[\[【]{_BEGIN}[\]】]|<!--\s?{_BEGIN}\s?-->"
    rf"|<{_BAR}open{_BAR}>\s?{_WORD}\s?<{_BAR}sep{_BAR}>|<{_BAR}channel>\s?{_WORD}\b|<unused94>\s?{_WORD}\b"
    r"|<\|inner_prefix\|>",
    re.IGNORECASE,
)
_FENCE_LANGUAGES = ("think", "thinking", "thought", "thoughts", "reasoning")
_DETAILS = re.compile(
    r"<details\b(?=[^<>]{0,100}reasoning|[^<>]{0,100}>\s{0,9}<summary>\W{0,9}(?:thought|thinking|reasoning))[^<>]{0,200}>"
    r".*?(?:</details>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_BEFORE_ANSWER = re.compile(
    r"\s*<(analysis|internal|plan|planning|deliberat(?:e|ion)|reflect|ponder|brainstorm(?:ing)?|considerations|reason|rationale|cot)>"
    r"(?:(?!</\1>).)*</\1>(?=\s*\S)",
    re.IGNORECASE | re.DOTALL,
)
"""A tag that only holds a thought where an answer follows: its name is common elsewhere, too."""

_WITHIN_SENTENCE = re.compile(r"[\w,]\s?\Z")
_SENTENCE_CONTINUES = re.compile(r"[ \t]+[a-z]|[ \t]*[,;.)]")

_CHANNEL = re.compile(
    r"(?:<\|start\|>\s?assistant\s?)?<\|channel\|>\s?(?:(?P<name>\w+)(?P<to>[^<]{0,200})"
    r"(?:<\|constrain\|>[^<]{0,40})?<\|message\|>|(?P<bare>analysis|final|thought|commentary)(?!\s?to=))"
    r"|(?P<end><\|(?:end|return|call)\|>)(?:<\|start\|>\s?assistant\b(?!\s?to=))?"
)
_BARE_CHANNEL = re.compile(r"\s*analysis(?=[A-Z'\"])")
_BARE_FINAL = re.compile(r"assistant\s?(?:final|(?=commentary\s?to=))")

_INTRODUCED = re.compile(
    r"\W{0,9}(?:here(?: is|'s| are) my (?:thought process|thoughts|reasoning steps)\b|thought\s?:"
    r"|(?:thinking|thoughts|thought process|my thinking)(?:\*\*|__)?[ \t]*(?::|\.\.\.)?(?:\*\*|__)?[ \t]*\n)",
    re.IGNORECASE,
)
_ANSWER_INTRODUCED = re.compile(
    r"^\W{0,4}(?:here(?: is|'s) my (?:final )?(?:response|answer)\b|final answer\b)(?:\*\*)?[ \t]*:?(?:\*\*)?"
    r"|^\W{0,9}(?:(?:final )?(?:answer|response)|final report)(?:\*\*|__)?[ \t]*:?(?:\*\*|__)?[ \t]*$"
    r"|^\.\.\.done thinking\.|\[begin final response\]",
    re.IGNORECASE | re.MULTILINE,
)
_ACTION = re.compile(r"^\W{0,4}action\W{0,4}:", re.IGNORECASE | re.MULTILINE)
_BARE_WORD = re.compile(r"\s*thought[ \t]?(?:\n|\[\]|\(\))")

_ANSWER = "(?:answer|response|output|final|final_answer|solution|final_response)"
_WRAPPER = (
    rf"(?:<{{slash}}{_ANSWER}>|<\|{{end}}_of_(?:{_ANSWER}|box)\|>|<\|{{end}}_RESPONSE\|>"
    rf"|<\|{{close}}\|>\s?response\s?<\|sep\|>|\[{{end}} FINAL RESPONSE\])"
)
_LEADING = re.compile(
    r"\s*(?:"
    + _WRAPPER.format(slash="", end="(?:begin|start)", close="open")
    + rf"|<{_BAR}(?:im_start|start|start_header_id|header_start|assistant){_BAR}>(?:\s?assistant\b)?"
    rf"(?:<{_BAR}(?:end_header_id|header_end|message){_BAR}>)?)",
    re.IGNORECASE,
)
_TRAILING = re.compile(
    r"(?:"
    + _WRAPPER.format(slash="/", end="end", close="close")
    + rf"|<{_BAR}(?:im_end|end|return|eo[tms](?:_id)?|end_?of_?(?:text|turn|msg|message|sentence)(?:_token)?"
    rf"|end▁of▁\w+){_BAR}>|</s>|<eos>|<end_of_turn>|<EOT>)\Z",
    re.IGNORECASE,
)
_LONGEST_TOKEN = 60
_MOST_TOKENS = 20


def without_thought(text: str) -> str:
    """Return the answer of a reply: what is no thought. Empty if the reply only holds thoughts."""
    spans = thought_spans(text)
    return "".join(text[start:end] for start, end in _between(spans, len(text))) if spans else text


def thought_spans(text: str) -> list[tuple[int, int]]:
    """Return what is not the answer of a reply, in order: thoughts, their marks, and the marks around the answer.

    Takes linear time.
    """
    code = code_spans(text)
    unquoted = masked(text, [(span.start, span.end) for span in code if span.closed])
    spans = _channels(unquoted) or _bare_channels(unquoted) or _marked(unquoted, text) or _introduced(unquoted)
    return _with_edges(text, spans or _enclosed(unquoted, code))


def _enclosed(text: str, code: Sequence[CodeSpan]) -> list[tuple[int, int]]:
    """Return the thoughts in elements that can also hold something else: fences, details, tags before the answer."""
    fences = [(span.start, span.end) for span in code if span.kind == "fence" and span.language in _FENCE_LANGUAGES]
    if fences:
        return fences
    if before := _BEFORE_ANSWER.match(text):
        return [before.span()]
    return [found.span() for found in _DETAILS.finditer(text)]


def _marked(text: str, with_code: str) -> list[tuple[int, int]]:
    """Return the thoughts between marks. A mark without its counterpart takes the text up to it, or after it."""
    spans: list[tuple[int, int]] = []
    began: int | None = None
    answer, last = 0, len(text.rstrip())
    for mark in _MARK.finditer(text):
        if mark["end"] is None:
            if began is None and not _is_mention(mark):
                began = mark.start()
            continue
        if began is None and _is_mention(mark):
            continue
        if began is None and spans and mark.end() >= last:
            began = mark.start()  # a second end after the answer is only a repetition
        spans.append((answer if began is None else began, mark.end()))
        began, answer = None, mark.end()
    if began is not None:
        spans.append((began, _end_in_code(with_code, began)))
    return spans


def _is_mention(mark: re.Match[str]) -> bool:
    """Return whether a mark is a word of a sentence."""
    before = mark.string[max(0, mark.start() - 2) : mark.start()]
    return bool(_WITHIN_SENTENCE.search(before) and _SENTENCE_CONTINUES.match(mark.string, mark.end()))


def _end_in_code(text: str, began: int) -> int:
    """Return where a thought ends that does not end outside code: backticks in it may pair with later ones."""
    return next((mark.end() for mark in _MARK.finditer(text, began) if mark["end"] is not None), len(text))


def _channels(text: str) -> list[tuple[int, int]]:
    """Return what is not in the final channel or, if no channel is final, what is neither message nor call."""
    marks = list(_CHANNEL.finditer(text))
    names = [name for mark in marks if (name := mark["name"] or mark["bare"])]
    if not names:
        return []
    spans: list[tuple[int, int]] = []
    if "final" in names and marks[0]["end"] is not None:
        spans.append((0, marks[0].start()))  # the prompt began the first channel
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        end = following.start() if following else len(text)
        calls = "to=" in (mark["to"] or "")
        name = mark["name"] or mark["bare"]
        answers = name == "final" or ("final" not in names and name == "commentary")
        if name is None or (answers and not calls):
            spans.append(mark.span())
        elif not calls:
            spans.append((mark.start(), end))
    return spans


def _bare_channels(text: str) -> list[tuple[int, int]]:
    """Return the analysis of a text whose channel tokens the host removed, so that only their names remain."""
    if not _BARE_CHANNEL.match(text):
        return []
    ends = [found.end() for found in _BARE_FINAL.finditer(text)]
    return [(0, ends[-1] if ends else len(text))]


def _introduced(text: str) -> list[tuple[int, int]]:
    """Return a thought that a sentence or a label introduces, up to the label of the answer."""
    if word := _BARE_WORD.match(text):
        return [word.span()]
    if _INTRODUCED.match(text) and (answer := _ANSWER_INTRODUCED.search(text)):
        return [] if _ACTION.search(text, 0, answer.start()) else [(0, answer.end())]
    return []


def _with_edges(text: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Add white space and the marks of templates at both ends of the answer."""
    answer = [(start, end) for start, end in _between(spans, len(text)) if not text[start:end].isspace()]
    if not answer:
        return [(0, len(text))] if spans else []
    start, end = answer[0][0], answer[-1][1]
    first, last = start, end
    for _ in range(_MOST_TOKENS):
        if not (found := _LEADING.match(text, first, end)):
            break
        first = found.end()
    for _ in range(_MOST_TOKENS):
        last = first + len(text[first:last].rstrip())
        if not (found := _TRAILING.search(text, max(first, last - _LONGEST_TOKEN), last)):
            break
        last = found.start()
    if not spans and (first, last) == (start, start + len(text.rstrip())):
        return []
    first += len(text[first:last]) - len(text[first:last].lstrip())
    outer = [(0, first), *(span for span in spans if first < span[0] and span[1] < last), (last, len(text))]
    return [span for span in outer if span[0] < span[1]]


def _between(spans: list[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Return the parts of a text outside the spans."""
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), length]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]
