"""The PromQL and LogQL queries that the simulated back ends answer: exactly the shapes that the tools send.

Every other query is refused, so that a changed tool fails here and never gets a wrong number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

_STRING = r'"(?:\\.|[^"\\])*"'
_MATCHER = rf"\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*{_STRING}\s*"
_SELECTOR = rf"\{{(?P<matchers>(?:{_MATCHER}(?:,{_MATCHER})*)?)\}}"
_PARTS = re.compile(rf"(\w+)\s*(=~|!~|!=|=)\s*({_STRING})")

_RATE = rf"rate\((?P<metric>[a-zA-Z_:][\w:]*){_SELECTOR}\[\d+[smhd]\]\)"
_RATE_SUM = re.compile(rf"sum\({_RATE}\)")
_QUANTILE = re.compile(rf"histogram_quantile\((?P<quantile>0\.\d+), sum by \(le\) \({_RATE}\)\)")

_LINES = rf"{_SELECTOR}(?: \|= (?P<text>{_STRING}))?"
_LOG_LINES = re.compile(_LINES)
_LINE_COUNT = re.compile(rf"sum\(count_over_time\({_LINES} \[(?P<seconds>\d+)s\]\)\)")


class QueryError(Exception):
    """A query that the real back end refuses, or one that the simulation does not know. Answered with 400."""


@dataclass(frozen=True)
class LabelMatcher:
    """One condition on a label, such as ``code=~"5.."``. A missing label counts as empty."""

    label: str
    operator: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Return whether the labels meet the condition."""
        actual = labels.get(self.label, "")
        equal = bool(re.fullmatch(self.value, actual)) if "~" in self.operator else actual == self.value
        return equal != self.operator.startswith("!")


@dataclass(frozen=True)
class MetricQuery:
    """The sum of the rates of some series, or a quantile of the histogram that their buckets form."""

    metric: str
    matchers: list[LabelMatcher]
    quantile: float | None


@dataclass(frozen=True)
class LogQuery:
    """The log lines of some streams that contain a text, or their number in the last ``seconds``."""

    matchers: list[LabelMatcher]
    text: str
    seconds: int | None


def parse_promql(query: str) -> MetricQuery:
    """Parse a query of ``get_service_health``. Raises QueryError."""
    found = _RATE_SUM.fullmatch(query) or _QUANTILE.fullmatch(query)
    if found is None:
        shapes = "sum(rate(METRIC{...}[5m])) and histogram_quantile(0.95, sum by (le) (rate(METRIC{...}[5m])))"
        raise QueryError(f"parse error: the simulated Prometheus answers only {shapes}, not {query!r}")
    quantile = found.groupdict().get("quantile")
    return MetricQuery(found["metric"], _matchers(found["matchers"]), float(quantile) if quantile else None)


def parse_logql(query: str) -> LogQuery:
    """Parse a query of ``search_logs``. Raises QueryError."""
    found = _LOG_LINES.fullmatch(query) or _LINE_COUNT.fullmatch(query)
    if found is None:
        shapes = '{...}, {...} |= "TEXT" and sum(count_over_time({...} |= "TEXT" [60s]))'
        raise QueryError(f"parse error: the simulated Loki answers only {shapes}, not {query!r}")
    matchers = _matchers(found["matchers"])
    if not any(not matcher.operator.startswith("!") and not matcher.matches({}) for matcher in matchers):
        # Loki's own text.
        raise QueryError(
            "parse error : queries require at least one regexp or equality matcher that does not have an "
            'empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'
        )
    seconds = found.groupdict().get("seconds")
    return LogQuery(matchers, _unquoted(found["text"] or '""'), int(seconds) if seconds else None)


def _matchers(text: str) -> list[LabelMatcher]:
    matchers = [LabelMatcher(label, operator, _unquoted(value)) for label, operator, value in _PARTS.findall(text)]
    for matcher in matchers:
        if "~" in matcher.operator:
            try:
                re.compile(matcher.value)
            except re.error as error:
                raise QueryError(f"parse error: error parsing regexp {matcher.value!r}: {error}") from None
    return matchers


def _unquoted(string: str) -> str:
    try:
        return str(json.loads(string, strict=False))
    except ValueError:
        raise QueryError(f"parse error: invalid escape in {string}") from None
