"""Which service of the operator's catalogue an alert is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from watchkeeper.contracts import Alert


def match_service(alert: Alert, catalogue: Iterable[str], labels: Sequence[str]) -> str | None:
    """Return the name in the catalogue that the alert gives: as its service, else in the first of these labels.

    Case and the choice of hyphen, underscore or blank do not count; nothing else is guessed.
    """
    names = {_spelling(name): name for name in catalogue}
    said = [alert.service, *(alert.labels.get(label) for label in labels)]
    return next((names[_spelling(word)] for word in said if word and _spelling(word) in names), None)


def _spelling(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())
