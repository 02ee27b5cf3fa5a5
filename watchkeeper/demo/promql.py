"""The part of PromQL that asks about rates: selectors, rate, histogram_quantile, aggregation, arithmetic.

A query becomes a function of time. Anything else of the language is refused by name, never answered wrongly.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from watchkeeper.demo.query_lexer import Matcher, Tokens

Labels: TypeAlias = frozenset[tuple[str, str]]
Vector: TypeAlias = dict[Labels, float]
Value: TypeAlias = float | Vector
Expression: TypeAlias = Callable[[float], Value]
Rates: TypeAlias = Callable[[str, float], Iterable[tuple[Mapping[str, str], float]]]
"""The series of a metric at a time: labels and increase per second. No series: no such metric."""

_AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "min": min,
    "max": max,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": lambda values: float(len(values)),
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b if b else (math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a)),
}


def parse(query: str, rates: Rates) -> Expression:
    """Compile a query; raises ``QueryError``."""
    tokens = Tokens(query)
    expression = _Parser(tokens, rates).sum()
    tokens.end()
    return expression


class _Parser:
    def __init__(self, tokens: Tokens, rates: Rates) -> None:
        self._tokens = tokens
        self._rates = rates

    def sum(self) -> Expression:
        left = self._product()
        while operator := self._tokens.take("+", "-"):
            left = _binary(operator, left, self._product())
        return left

    def _product(self) -> Expression:
        left = self._term()
        while operator := self._tokens.take("*", "/"):
            left = _binary(operator, left, self._term())
        return left

    def _term(self) -> Expression:
        tokens = self._tokens
        if tokens.take("("):
            inner = self.sum()
            tokens.expect(")")
            return inner
        if tokens.kind == "number":
            number = float(tokens.consume())
            return lambda at: number
        if name := tokens.take(*_AGGREGATIONS):
            return self._aggregation(name)
        if name := tokens.take("rate", "irate", "increase"):
            return self._rate(name)
        if tokens.take("histogram_quantile"):
            return self._quantile()
        if tokens.kind == "name":
            raise tokens.error(f"the simulated Prometheus does not evaluate {tokens.text!r}")
        raise tokens.error()

    def _aggregation(self, name: str) -> Expression:
        by = self._grouping()
        self._tokens.expect("(")
        inner = self.sum()
        self._tokens.expect(")")
        return _aggregate(_AGGREGATIONS[name], inner, by or self._grouping())

    def _grouping(self) -> list[str]:
        return self._tokens.names() if self._tokens.take("by") else []

    def _rate(self, name: str) -> Expression:
        self._tokens.expect("(")
        metric = self._tokens.consume("name")
        matchers = self._tokens.matchers() if self._tokens.text == "{" else []
        window = self._tokens.duration()
        self._tokens.expect(")")
        return _select(self._rates, metric, matchers, window if name == "increase" else 1.0)

    def _quantile(self) -> Expression:
        self._tokens.expect("(")
        quantile = float(self._tokens.consume("number"))
        self._tokens.expect(",")
        inner = self.sum()
        self._tokens.expect(")")
        return lambda at: _histogram_quantile(quantile, _vector(inner(at)))


def _select(rates: Rates, metric: str, matchers: list[Matcher], times: float) -> Expression:
    def evaluate(at: float) -> Value:
        series = rates(metric, at)
        return {frozenset(ls.items()): rate * times for ls, rate in series if all(m(ls) for m in matchers)}

    return evaluate


def _aggregate(combine: Callable[[list[float]], float], inner: Expression, by: list[str]) -> Expression:
    def evaluate(at: float) -> Value:
        groups: dict[Labels, list[float]] = defaultdict(list)
        for labels, value in _vector(inner(at)).items():
            groups[frozenset(label for label in labels if label[0] in by)].append(value)
        return {labels: combine(values) for labels, values in groups.items()}

    return evaluate


def _binary(operator: str, left: Expression, right: Expression) -> Expression:
    apply = _ARITHMETIC[operator]

    def evaluate(at: float) -> Value:
        match left(at), right(at):
            case dict(a), dict(b):
                return {labels: apply(a[labels], b[labels]) for labels in a if labels in b}
            case dict(a), float(b):
                return {labels: apply(value, b) for labels, value in a.items()}
            case float(a), dict(b):
                return {labels: apply(a, value) for labels, value in b.items()}
            case float(a), float(b):
                return apply(a, b)
        raise AssertionError("a value is a number or a vector")

    return evaluate


def _vector(value: Value) -> Vector:
    return value if isinstance(value, dict) else {frozenset(): value}


def _histogram_quantile(quantile: float, buckets: Vector) -> Vector:
    histograms: dict[Labels, list[tuple[float, float]]] = defaultdict(list)
    for labels, count in buckets.items():
        bound = dict(labels).get("le")
        if bound is not None:
            rest = frozenset(label for label in labels if label[0] != "le")
            histograms[rest].append((float(bound.replace("+Inf", "inf")), count))
    return {labels: _quantile_of(quantile, sorted(pairs)) for labels, pairs in histograms.items()}


def _quantile_of(quantile: float, buckets: list[tuple[float, float]]) -> float:
    """Interpolate inside the bucket that holds the rank, as Prometheus does."""
    total = buckets[-1][1]
    if not total or not math.isinf(buckets[-1][0]) or len(buckets) < 2:
        return math.nan
    rank, lower, below = quantile * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= rank:
            return buckets[-2][0] if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return math.nan
