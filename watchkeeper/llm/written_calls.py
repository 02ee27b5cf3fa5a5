"""Scan a text for tool calls: one rule for each place where a call can begin."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.argument_schema import typed
from watchkeeper.llm.broken_json import names_tool
from watchkeeper.llm.json_calls import json_calls, plain_name
from watchkeeper.llm.template_markup import TemplateMark, mark_at, marks
from watchkeeper.llm.tool_calls import read_arguments
from watchkeeper.llm.written_arguments import TextReader, WrittenArguments, object_text
from watchkeeper.llm.written_call import WrittenCall

_PREFIX = r"(?:(?:functions?|default_api|tools|api|call)[.:]){0,3}"
_IDENTIFIER = re.compile(rf"(?P<prefix>{_PREFIX})(?P<name>[A-Za-z][\w-]{{0,80}})(?P<index>:\d+)?")
_ARGUMENTS_FOLLOW = re.compile(
    r"""(?:\.\w{1,40})?\(|\{(?:["'}\s]|\w+\s?[:=])|\[["'{\[]|<[^<>\s]|\s{0,9}\n\s{0,9}[{<]"""
)
_FILLER = re.compile(
    r"\s+|(?:function|json|assistant|commentary|functions|call|tool|code|name)\b(?![.({=\[])[ \t]?[:=]?|[`:>*]|\[(?=\w)"
)
_ARGUMENT_ATTRIBUTES = {"arguments", "args", "parameters", "input"}
_NAME_TAGS = {"name", "tool_name", "function_name", "function", "tool"}
_JSON_START = re.compile(r"""(?<![{\[])[{\[](?=\s{0,20}(?:\\?["'“{\[]|\w{1,16}["'”]?\s?[:=]))""")
_JSON_LIKE = re.compile(r"""[{\[]\s{0,20}(?:["'{}\[\]]|[A-Za-z_]\w{0,40}\s?[:=]|\Z)""")
_ADDRESSED = re.compile(
    rf"(?P<how>\bto=|\bcall:|<\|start\|>(?=\s?functions\.)\s?)(?P<prefix>{_PREFIX})(?P<name>[A-Za-z][\w-]{{0,80}})(?:\.[\w-]{{1,40}})?"
)
_CHANNEL_WORD = re.compile(r"\s+|<\|(?:channel|constrain|message)\|>|commentary|analysis|json|code|:")

_LABEL = (
    r"(?:#{1,6}[ \t]{1,3})?(?:\*\*)?(?i:(?P<strict>(?:next[ _])?action"
    r"|(?:tool|function)[ _]?(?:call|to use)|call)(?:[ _]?\d{1,2})?"
    r"|tool(?:[ _]?(?:name|use))?|function(?:[ _]?name)?|name|calling|us(?:e|ing)|invok(?:e|ing)|run(?:ning)?"
    r"|execute|executing)"
    r"(?i:[ \t](?:the[ \t])?(?:tool|function|action))?(?:\*\*)?[ \t]{0,3}(?P<colon>:)?(?:\*\*)?[ \t]{0,3}"
)
_LEAD = (
    r"(?:(?:await|return|const|let|var|print\(|>>>|[$@/!\[`(\"']|->|→|=>|\*\*"
    r"|[A-Za-z_][\w.]{0,40}[ \t]?=)[ \t]{0,9}){0,5}"
)
_ARGUMENT_LABEL = re.compile(
    r"[`*\"']{0,3}[ \t]*(?:\n\s*(?:[-*][ \t]+|#{1,6}[ \t]+)?|[ \t,;|](?=action[ _]?input))"
    r"(?:\*\*)?(?:(?:action|tool|function)[ _]?)?"
    r"(?:inputs?|arguments?|args|parameters?|params)(?:[ _]?\d{1,2})?(?:\*\*)?[ \t]*:",
    re.IGNORECASE,
)
_ENDS_IN_LABEL = re.compile(r"[`*]{0,3}\s*[A-Za-z ]{0,16}\Z")
_CUT_TAG = re.compile(
    r"<[|｜/]?(?P<name>[\w:]+)[^<>\n]{0,300}\Z|<[|｜]\w{1,40}[|｜]>[^<>\n]{1,300}(?:<[|｜]?\w{0,20}[|｜]?)?\Z"
    r"|[\w-]{1,100}\s?<[|｜]?\Z"
)
_CUT_MARK = re.compile(r"<[|｜/]{0,2}[\w▁:.-]{0,60}[|｜]?\Z")
_NO_MORE_WORDS = re.compile(r"[^\w\n]{0,40}(?:#[^\n]*)?(?:\n|\Z)")
_OBJECT_FOLLOWS = re.compile(r"[ \t]*(?:\n[ \t]*)?\{")
_SHELL_WORD = r"""(?:"[^"\n]{0,400}"|'[^'\n]{0,400}'|[^\s"'-]\S{0,400})"""
_FLAGS = re.compile(
    rf"(?:[ \t]{{1,9}}(?:--\w[\w-]{{0,40}}(?:[ =]{_SHELL_WORD})?|\w{{1,40}}={_SHELL_WORD})){{1,20}}[ \t`]*(?:\n|\Z)"
)
_IN_BRACKETS = re.compile(r"[^\n\]]{0,300}\][ \t]*(?:\n|\Z)")
_CLOSING_MARKS = re.compile(r"(?:[ \t\])}>`;,.]{0,9}</?[^<>\n]{1,60}>)*(?:[ \t\])}>`;,.]{0,9}<[|｜/][^<>\n]{0,60}\Z)?")
_GAP = (
    r"[^\w(){}<>\n]{0,4}(?:\n\W{0,4})?(?:[ \t]?(?:with|using)[ \t])?"
    r"(?:(?:the[ \t])?(?:arguments?|args|parameters?|input))?[^\w(){}<>]{0,6}"
)
_LOOKS_BACK = re.compile(
    r"\b(?:from|via|of|in|and|shows?|showed|says|returned|after|both)[ \t]\Z"
    r"|\b(?:called|ran|used|executed|invoked|queried|checked|looked|measured|found|searched|confirmed|saw|examined)\b"
    r"[^.:\n]{0,40}\Z"
)
_CITES = re.compile(r"[^\s:][ \t][(\[][ \t]?\Z")
"""A bracket after a word: what it holds is the source of what the sentence says."""

_ASKED = (
    r"(?:\b(?:call|calling|run|running|use|using|invoke|invoking|execute|executing|try|trying)"
    r"(?:[ \t](?:the[ \t])?(?:tool|function))?|:|→|->)[ \t]{1,3}`?"
)
_MOST_FILLERS = 12
_LOOK_AHEAD = 400
_LOOK_BEHIND = 60


class CallScanner:
    """Finds the calls in one text, from which quotations are removed already."""

    def __init__(self, text: str, tools: Mapping[str, JsonObject], *, reports: bool) -> None:
        self._text = text
        self._tools = tools
        self._reports = reports
        self._reader = TextReader(text)
        self._marks = {mark.start: mark for mark in marks(text)}
        self._skipped: dict[int, int] = {}
        names = "|".join(map(re.escape, sorted(tools, key=len, reverse=True))) or "(?!)"
        self._name = rf"{_PREFIX}(?P<name>{names})(?P<index>:\d+)?(?![\w-])"
        self._lines = re.compile(
            r"(?:(?:^|(?<=[|｜]>))[ \t]{0,20}|(?P<within>(?<=[:.!?][ ])))(?P<bullet>(?:[-*•]|\d{1,2}[.)])[ \t]{1,3})?"
            rf"(?P<bracket>\[)?(?P<label>{_LABEL})?{_LEAD}{self._name}",
            re.MULTILINE,
        )
        self._anywhere = re.compile(rf"(?<![\w.`/-]){self._name}(?={_GAP}[({{])", re.IGNORECASE)
        self._asked = re.compile(rf"{_ASKED}{_LEAD}{self._name}(?=\s{{0,9}}[({{])", re.IGNORECASE)
        self._in_tag = re.compile(rf"<(?:function|tool|invoke|call)\s?[=:]\s?[\"']?{self._name}(?=[\s,]{{0,9}}[({{])")
        self._executed = re.compile(
            rf"^[ \t]{{0,20}}{_LEAD}[A-Za-z_][\w.]{{0,40}}\(\s{{0,9}}(?:\w{{1,20}}\s?=\s?)?[\"']{self._name}[\"']",
            re.MULTILINE,
        )
        self._lead_and_name = re.compile(rf"(?=[^\W\d]){_LEAD}{self._name}(?=\()")
        self._next_in_list = re.compile(rf"\s{{0,9}}[,;]?\s{{0,9}}{self._name}(?=[({{])")

    def all(self) -> list[WrittenCall]:
        """Return the calls in order."""
        found: list[WrittenCall] = []
        position = 0
        for start, read in sorted(self._candidates(), key=lambda candidate: candidate[0]):
            if start >= position and (calls := read()):
                found += calls
                position = max(call.end for call in calls)
        return [*found, *self._cut_tag(position)]

    def _candidates(self) -> Iterator[tuple[int, Callable[[], list[WrittenCall]]]]:
        text = self._text
        for mark in self._marks.values():
            if mark.form == "tag" and mark.written in self._tools and not mark.closes:
                yield mark.start, partial(self._at_tool_tag, mark)
            elif mark.kind in ("opens_call", "opens_tool"):
                yield mark.start, partial(self._at_mark, mark)
            elif mark.kind == "result" and not mark.closes:
                yield mark.start, partial(self._at_result, mark)
        for found in _ADDRESSED.finditer(text):
            yield found.start(), partial(self._at_address, found)
        for found in self._lines.finditer(text):
            yield found.start(), partial(self._at_line, found)
        for found in self._in_tag.finditer(text):
            yield found.start(), partial(self._named, found.start(), found.end(), found["name"], None, certain=True)
        for found in self._executed.finditer(text):
            yield found.start(), partial(self._at_executor, found)
        if not self._reports:
            for found in self._asked.finditer(text):
                yield found.start(), partial(self._at_request, found)
            for found in self._anywhere.finditer(text):
                yield found.start(), partial(self._at_name, found)
        for found in _JSON_START.finditer(text):
            yield found.start(), partial(self._at_json, found.start())

    def _cut_tag(self, position: int) -> list[WrittenCall]:
        """Return a call of which the text only has the beginning of a tag."""
        tag = _CUT_TAG.search(self._text, max(position, len(self._text) - _LOOK_AHEAD))
        if tag is None:
            return []
        whole = mark_at(f"<{tag['name']}>", 0) if tag["name"] else None
        begins = whole is not None and whole.kind == "opens_call"
        if begins or any(name in tag[0] for name in self._tools):
            return [WrittenCall(tag.start(), len(self._text))]
        return []

    def _at_mark(self, mark: TemplateMark) -> list[WrittenCall]:
        """Read the call that a mark opens; nothing if prose follows the mark."""
        opens = mark.kind == "opens_call"
        written = next((value for key, value in mark.attributes.items() if key.lower() in _ARGUMENT_ATTRIBUTES), None)
        if mark.name is not None and plain_name(mark.name) in self._tools and written is not None:
            return [WrittenCall(mark.start, mark.end, plain_name(mark.name), object_text(written))]
        if mark.name is not None:
            return self._named(mark.start, mark.end, plain_name(mark.name), None, certain=opens, empty=mark.empty)
        position = self._skip_fillers(mark.end)
        text = self._text
        if position < len(text) and (expression := self._lead_and_name.match(text, position)):
            return self._named(mark.start, expression.end(), expression["name"], None, certain=opens)
        if position >= len(text):
            return [WrittenCall(mark.start, len(text))] if opens else []
        if text[position] in "{[" and (calls := self._json(mark.start, position, certain=opens)):
            return calls
        inner = self._marks.get(position)
        if inner and inner.name is not None and inner.kind in ("opens_call", "opens_tool"):
            return self._named(mark.start, inner.end, plain_name(inner.name), None, certain=opens, empty=inner.empty)
        if inner and inner.form == "tag" and inner.written in self._tools and not inner.closes:
            return [call._replace(start=mark.start) for call in self._at_tool_tag(inner)]
        if identifier := _IDENTIFIER.match(text, position):
            return self._identified(mark, identifier)
        if opens and _CUT_MARK.match(text, position):
            return [WrittenCall(mark.start, len(text))]
        if opens and self._is_alone_on_line(mark):
            return [WrittenCall(mark.start, mark.end)]
        return []

    def _identified(self, mark: TemplateMark, identifier: re.Match[str]) -> list[WrittenCall]:
        """Read a call whose name follows a mark as a word."""
        name, end, opens = identifier["name"], identifier.end(), mark.kind == "opens_call"
        call_id = identifier[0] if identifier["index"] else None
        if name in self._tools:
            return self._named(mark.start, end, name, call_id, certain=opens)
        if not opens:
            return []
        is_cut = end >= len(self._text) and any(tool.startswith(name) for tool in self._tools)
        if is_cut or identifier["prefix"] or identifier["index"] or _ARGUMENTS_FOLLOW.match(self._text, end):
            return [WrittenCall(mark.start, self._reader.arguments_at(end, {}).end)]
        if self._is_alone_on_line(mark):
            return [WrittenCall(mark.start, mark.end)]
        return []

    def _named(
        self, start: int, end: int, name: str, call_id: str | None, *, certain: bool, empty: bool = False
    ) -> list[WrittenCall]:
        """Read the arguments after a name. A name that is no tool only counts after a mark that opens calls."""
        if name not in self._tools and not certain:
            return []
        read = self._reader.arguments_at(end, self._tools.get(name, {}))
        if name not in self._tools:
            return [WrittenCall(start, read.end)]
        if empty and not read.written:
            read = read._replace(arguments="{}")
        return [WrittenCall(start, read.end, name, read.arguments, call_id), *self._rest_of_list(read.end)]

    def _at_tool_tag(self, tag: TemplateMark) -> list[WrittenCall]:
        """Read ``<TOOL><parameter>value</parameter></TOOL>`` or ``<TOOL parameter="value"/>``."""
        schema = self._tools[tag.written]
        if tag.attributes:
            fields = typed(tag.attributes, schema)
            arguments = None if fields is None else read_arguments(fields)
            return [WrittenCall(tag.start, tag.end, tag.written, arguments)]
        read = self._reader.arguments_at(tag.end, schema)
        closing = self._reader.find(f"</{tag.written}", tag.end)
        if not read.written and closing < 0 and not tag.empty:
            following = self._text[tag.end : tag.end + _LOOK_AHEAD].strip()
            return [WrittenCall(tag.start, len(self._text))] if not following or following[0] == "<" else []
        unread = not read.written and closing >= 0 and bool(self._text[tag.end : closing].strip())
        end = max(read.end, closing)
        return [WrittenCall(tag.start, end, tag.written, None if unread else read.arguments or "{}")]

    def _at_result(self, mark: TemplateMark) -> list[WrittenCall]:
        """Return a result that the model made up; what it wrote after it rests on it."""
        return [WrittenCall(mark.start, len(self._text))] if self._begins_line(mark.start) else []

    def _at_address(self, found: re.Match[str]) -> list[WrittenCall]:
        """Read a channel that is addressed to a tool: ``to=functions.NAME ... {``."""
        name, end = found["name"], found.end()
        for _ in range(_MOST_FILLERS):
            if not (word := _CHANNEL_WORD.match(self._text, end)):
                break
            end = word.end()
        if found["how"] == "call:" and not self._text.startswith(("{", "("), found.end()):
            return []
        if name in self._tools:
            read = self._reader.arguments_at(end, self._tools[name])
            return [WrittenCall(found.start(), read.end, name, read.arguments if read.written else None)]
        in_channel = (
            self._text.startswith(("<|message|>", "<|constrain|>"), end)
            or "<|message|>" in self._text[found.end() : end]
        )
        return [WrittenCall(found.start(), end)] if found["prefix"] or in_channel else []

    def _at_line(self, found: re.Match[str]) -> list[WrittenCall]:
        """Read a call at the beginning of a line: an expression, a name with an object, or a label with a name."""
        name, end, start = found["name"], found.end(), found.start()
        if self._reports and (found["bullet"] or found["within"] is not None):
            return []
        if self._text.startswith("(", end):
            return self._expressions(start, name, end)
        schema = self._tools[name]
        if found["label"] and self._text.startswith(('"', "'"), end):
            end += 1
        if found["colon"] and _ARGUMENT_LABEL.match(self._text, end):
            read = self._reader.arguments_at(end, schema)
            return [WrittenCall(start, read.end, name, read.arguments if read.written else None)]
        if found["strict"] and found["colon"] and self._text.startswith("[", end):
            return [WrittenCall(start, self._paragraph_end(end))]
        if found["strict"] and found["colon"] and found["bracket"] and (rest := _IN_BRACKETS.match(self._text, end)):
            return [WrittenCall(start, rest.end())]
        is_open = bool(found["strict"] and found["colon"] and not self._reports) or found["index"] is not None
        ends = not self._reports and found["colon"] and _ENDS_IN_LABEL.match(self._text, end)
        if ends or (is_open and _NO_MORE_WORDS.match(self._text, end) and not found["bullet"]):
            read = self._reader.arguments_at(end, schema)
            return [WrittenCall(start, read.end, name, read.arguments if read.written else None)]
        follows = mark_at(self._text, end + len(self._text[end : end + 9]) - len(self._text[end : end + 9].lstrip()))
        if _OBJECT_FOLLOWS.match(self._text, end) or (follows and follows.form != "bracket" and not follows.closes):
            read = self._reader.arguments_at(end, schema)
            calls = [WrittenCall(start, read.end, name, read.arguments), *self._rest_of_list(read.end)]
            if read.written and self._are_arguments(read, schema) and self._ends_line(calls[-1].end):
                return calls
            if not read.written and follows and follows.form == "token" and follows.start == end:
                return [WrittenCall(start, follows.end)]
        elif not self._reports and not found["bullet"] and (flags := _FLAGS.match(self._text, end)):
            return [WrittenCall(start, flags.end())]
        return []

    def _at_executor(self, found: re.Match[str]) -> list[WrittenCall]:
        """Read a function that is to run a tool: ``call_tool("NAME", {...})``; nothing if the line continues."""
        read = self._reader.arguments_at(found.end(), self._tools[found["name"]])
        call = WrittenCall(found.start(), read.end, found["name"], read.arguments if read.written else None)
        return [call] if self._ends_line(read.end) else []

    def _at_request(self, found: re.Match[str]) -> list[WrittenCall]:
        """Read a call that ends a sentence: ``I will call NAME(...)``."""
        if self._text.startswith("(", found.end()):
            return self._expressions(found.start(), found["name"], found.end())
        schema = self._tools[found["name"]]
        read = self._reader.arguments_at(found.end(), schema)
        if read.written and self._are_arguments(read, schema) and self._ends_line(read.end):
            return [WrittenCall(found.start(), read.end, found["name"], read.arguments)]
        return []

    def _at_name(self, found: re.Match[str]) -> list[WrittenCall]:
        """Read a name in a sentence that ends with arguments that fit it."""
        name = found["name"]
        before = self._text[max(0, found.start() - _LOOK_BEHIND) : found.start()]
        if name not in self._tools or _LOOKS_BACK.search(before) or _CITES.search(before):
            return []
        read = self._reader.arguments_at(found.end(), self._tools[name])
        call = WrittenCall(found.start(), read.end, name, read.arguments)
        has_fields = read.arguments is not None and bool(json.loads(read.arguments))
        return [call] if has_fields and call.entry(self._tools) and self._ends_line(read.end) else []

    def _expressions(self, start: int, name: str, position: int) -> list[WrittenCall]:
        """Read ``NAME(...), NAME(...)``; nothing if the line continues."""
        read = self._reader.arguments_at(position, self._tools[name])
        calls = [WrittenCall(start, read.end, name, read.arguments), *self._rest_of_list(read.end)]
        return calls if self._ends_line(calls[-1].end) else []

    def _rest_of_list(self, position: int) -> list[WrittenCall]:
        calls: list[WrittenCall] = []
        while following := self._next_in_list.match(self._text, position):
            read = self._reader.arguments_at(following.end(), self._tools[following["name"]])
            calls.append(WrittenCall(following.start(), read.end, following["name"], read.arguments))
            position = read.end
        return calls

    def _at_json(self, position: int) -> list[WrittenCall]:
        return self._json(position, position, certain=False)

    def _json(self, start: int, position: int, *, certain: bool) -> list[WrittenCall]:
        """Read JSON that is a call, or the beginning of one. ``certain``: a mark opens a call here."""
        decoded = self._reader.json_at(position)
        if decoded is None:
            begins = certain and _JSON_LIKE.match(self._text, position) is not None
            named = names_tool(self._text, position, self._tools)
            return [WrittenCall(start, self._paragraph_end(position))] if begins or named else []
        value, end = decoded
        calls = json_calls(value, self._tools)
        if not calls:
            return [WrittenCall(start, end)] if certain else []
        if not certain and not any(call.name in self._tools for call in calls):
            return [WrittenCall(start, end, only_alone=True)]
        ends_line = certain or self._ends_line(end)
        return [
            WrittenCall(start, end, call.name, call.arguments if ends_line else None, call.call_id) for call in calls
        ]

    def _are_arguments(self, read: WrittenArguments, schema: JsonObject) -> bool:
        """Return whether an object after a name has the names of arguments: it might be a result."""
        if read.arguments is None or "properties" not in schema:
            return True
        return bool(json.loads(read.arguments).keys() <= schema["properties"].keys())

    def _skip_fillers(self, position: int) -> int:
        """Skip what may be between a mark that opens calls and the call: other marks and a few fixed names."""
        passed: list[int] = []
        while position not in self._skipped:
            passed.append(position)
            mark = self._marks.get(position)
            if mark and mark.name is None and (mark.form != "tag" or self._is_opening_tag(mark)):
                position = mark.end
            elif filler := _FILLER.match(self._text, position):
                position = filler.end()
            else:
                self._skipped[position] = position
        end = self._skipped[position]
        self._skipped.update(dict.fromkeys(passed, end))
        return end

    def _is_opening_tag(self, tag: TemplateMark) -> bool:
        return not tag.closes and (tag.kind == "opens_call" or tag.written.lower() in _NAME_TAGS)

    def _ends_line(self, position: int) -> bool:
        marks_after = _CLOSING_MARKS.match(self._text, position)
        return _NO_MORE_WORDS.match(self._text, marks_after.end() if marks_after else position) is not None

    def _begins_line(self, position: int) -> bool:
        return not self._text[self._text.rfind("\n", 0, position) + 1 : position].strip()

    def _is_alone_on_line(self, mark: TemplateMark) -> bool:
        return self._begins_line(mark.start) and bool(_NO_MORE_WORDS.match(self._text, mark.end))

    def _paragraph_end(self, position: int) -> int:
        end = self._text.find("\n\n", position)
        return len(self._text) if end < 0 else end
