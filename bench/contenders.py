"""All contenders on Temporal, the baseline first."""

from __future__ import annotations

from bench.floor import FLOOR
from bench.naive import NAIVE
from bench.ours import OURS

CONTENDERS = {contender.name: contender for contender in (FLOOR, NAIVE, OURS)}
