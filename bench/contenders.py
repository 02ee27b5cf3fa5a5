"""All contenders on Temporal, the baseline first."""

from __future__ import annotations

from bench.floor_loop import FLOOR
from bench.naive_loop import NAIVE
from bench.watchkeeper_loop import OURS

CONTENDERS = {contender.name: contender for contender in (FLOOR, NAIVE, OURS)}
