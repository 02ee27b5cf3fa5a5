"""What PromQL and LogQL have in common: tokens, label matchers, durations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    | (?P<duration>(?:\d+(?:ms|[smhdwy]))+)
    | (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
    | (?P<name>[a-zA-Z_:][\w:]*)
    | (?P<operator>\|=|\|~|=~|!~|!=|==|\S)
    | (?P<end>$)
    )""",
    re.VERBOSE,
)
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}


class QueryError(Exception):
    """A query that is wrong, or more than the simulation understands; says where in the text."""


@dataclass(frozen=True)
class Matcher:
    """One condition on a label, such as ``code=~"5.."``; an absent label is empty, a regex matches the whole."""

    label: str
    operator: str
    value: str

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a series with these labels is meant."""
        actual = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (actual == self.value) == (self.operator == "=")
        return bool(re.fullmatch(self.value, actual)) == (self.operator == "=~")


class Tokens:
    """The tokens of one query, read left to right."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._at = 0
        self.kind = ""
        self.text = ""
        self._next()

    def _next(self) -> None:
        found = _TOKEN.match(self._query, self._at)
        assert found is not None and found.lastgroup is not None  # every character starts some token
        self.kind, self.text = found.lastgroup, found.group(found.lastgroup)
        self._start, self._at = found.start(found.lastgroup), found.end()

    def error(self, said: str = "") -> QueryError:
        """Make the error for the token at hand."""
        unexpected = f"unexpected {self.text!r}" if self.kind != "end" else "unexpected end of input"
        return QueryError(f"1:{self._start + 1}: parse error: {said or unexpected} in query {self._query!r}")

    def take(self, *texts: str) -> str | None:
        """Consume the token at hand if it is one of these; an operator or a name, never a string."""
        if self.kind in ("operator", "name") and self.text in texts:
            return self.consume()
        return None

    def expect(self, text: str) -> None:
        """Consume this token."""
        if self.take(text) is None:
            raise self.error()

    def consume(self, kind: str | None = None) -> str:
        """Consume the token at hand, which must be of the kind if one is given."""
        if kind is not None and self.kind != kind:
            raise self.error()
        text = self.text
        self._next()
        return text

    def end(self) -> None:
        """Require that nothing is left."""
        if self.kind != "end":
            raise self.error()

    def string(self) -> str:
        """Consume a quoted string and return what it says."""
        if self.kind != "string":
            raise self.error()
        quote, inner = self.text[0], self.text[1:-1]
        try:
            said = inner if quote == "`" else json.loads(f'"{_double_quoted(inner, quote)}"', strict=False)
        except ValueError:
            raise self.error(f"invalid escape in {self.text}") from None
        self._next()
        return str(said)

    def regex(self) -> str:
        """Consume a quoted regular expression."""
        pattern = self.string()
        try:
            re.compile(pattern)
        except re.error as error:
            raise self.error(f"invalid regular expression {pattern!r}: {error}") from None
        return pattern

    def duration(self) -> float:
        """Consume ``[5m]`` and return its seconds."""
        self.expect("[")
        text = self.consume("duration")
        self.expect("]")
        return seconds(text)

    def names(self) -> list[str]:
        """Consume ``(le, service)``."""
        self.expect("(")
        names: list[str] = []
        while not self.take(")"):
            names.append(self.consume("name"))
            if not self.take(","):
                self.expect(")")
                break
        return names

    def matchers(self) -> list[Matcher]:
        """Consume ``{label="value",…}``."""
        self.expect("{")
        matchers: list[Matcher] = []
        while not self.take("}"):
            label = self.consume("name")
            operator = self.take("=", "!=", "=~", "!~")
            if operator is None:
                raise self.error()
            matchers.append(Matcher(label, operator, self.regex() if "~" in operator else self.string()))
            if not self.take(","):
                self.expect("}")
                break
        return matchers


def seconds(duration: str) -> float:
    """Read a duration such as ``1h30m``."""
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def _double_quoted(inner: str, quote: str) -> str:
    return inner if quote == '"' else inner.replace("\\'", "'").replace('"', '\\"')
