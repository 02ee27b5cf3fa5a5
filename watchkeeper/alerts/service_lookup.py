"""Look up the service of an alert in the operator's catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from watchkeeper.contracts import Alert


def match_service(alert: Alert, catalogue: Iterable[str], labels: Sequence[str]) -> str | None:
    """Return the catalogue name of an alert's service, or of the first of these labels that names a service.

    Upper and lower case, and hyphen, underscore and blank, are treated as equal. None if nothing matches.
    """
    names = {_normalize(name): name for name in catalogue}
    candidates = [alert.service, *(alert.labels.get(label) for label in labels)]
    return next((names[_normalize(name)] for name in candidates if name and _normalize(name) in names), None)


def _normalize(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().lower())
