"""The part of LogQL that finds and counts lines: a selector, line filters, count_over_time, rate, sum."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from watchkeeper.demo.query_lexer import Matcher, QueryError, Tokens

FILTERS = ("|=", "!=", "|~", "!~")


@dataclass(frozen=True)
class Filter:
    """One condition on a line, such as ``|= "timeout"``."""

    operator: str
    pattern: str

    def __call__(self, line: str) -> bool:
        """Tell whether the line passes."""
        there = re.search(self.pattern, line) is not None if "~" in self.operator else self.pattern in line
        return there == (self.operator in ("|=", "|~"))


@dataclass(frozen=True)
class LogQuery:
    """Which lines of which streams."""

    matchers: list[Matcher]
    filters: list[Filter]

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a stream is meant."""
        return all(matcher(labels) for matcher in self.matchers)

    def passes(self, line: str) -> bool:
        """Tell whether a line is meant."""
        return all(passes(line) for passes in self.filters)


@dataclass(frozen=True)
class MetricQuery:
    """How many of these lines there are in a window of so many seconds."""

    logs: LogQuery
    window: float
    per_second: bool
    summed: bool
    by: list[str]

    def group(self, labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
        """Return the labels that are left of a stream's in the result."""
        return frozenset(label for label in labels.items() if not self.summed or label[0] in self.by)


def parse(query: str) -> LogQuery | MetricQuery:
    """Read a query; raises ``QueryError``."""
    tokens = Tokens(query)
    parsed = _log_query(tokens) if tokens.text == "{" else _metric_query(tokens)
    tokens.end()
    return parsed


def _log_query(tokens: Tokens) -> LogQuery:
    matchers = tokens.matchers()
    if not any(matcher.operator in ("=", "=~") and not matcher({}) for matcher in matchers):
        raise QueryError(
            "parse error : queries require at least one regexp or equality matcher that does not have an "
            'empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'
        )
    filters: list[Filter] = []
    while operator := tokens.take(*FILTERS):
        filters.append(Filter(operator, tokens.regex() if "~" in operator else tokens.string()))
    return LogQuery(matchers, filters)


def _metric_query(tokens: Tokens) -> MetricQuery:
    summed = tokens.take("sum") is not None
    by: list[str] = []
    if summed:
        by = tokens.names() if tokens.take("by") else []
        tokens.expect("(")
    function = tokens.take("count_over_time", "rate")
    if function is None:
        raise tokens.error(f"the simulated Loki does not evaluate {tokens.text!r}")
    tokens.expect("(")
    logs = _log_query(tokens)
    window = tokens.duration()
    tokens.expect(")")
    if summed:
        tokens.expect(")")
        by = by or (tokens.names() if tokens.take("by") else [])
    return MetricQuery(logs, window, function == "rate", summed, by)
