"""A coverage-guided fuzzer for the code that reads model replies: `make fuzz`, or `python -m tests.support.fuzz`.

Each input is a damaged real response. Any result other than a safe reply or a ModelError ends it and saves the input.
"""

from __future__ import annotations

import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

atheris: Any = import_module("atheris")
"""Has no type hints, and is only installed by `make fuzz`."""

with atheris.instrument_imports(include=["watchkeeper.llm", "watchkeeper.text"]):
    from tests.support.host_answers import SEEDS, mutated
    from tests.support.reply_safety import read

INPUTS = 1_000_000
LONGEST = 8_192
"""Largest input in bytes; other tests read longer ones."""

SLOWEST = 10
"""Time limit for one input, in seconds."""


def main(inputs: int) -> None:
    outcomes = Counter[str]()

    def check(body: bytes) -> None:
        outcomes[read(body, tools_allowed=len(body) % 5 > 0)] += 1
        if outcomes.total() == inputs:
            counts = ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.most_common())
            sys.stdout.write(f"{inputs:,} inputs, each a safe reply or a ModelError: {counts}\n")
            sys.stdout.flush()

    def other(body: bytes, largest: int, seed: int) -> bytes:
        random = Random(seed)
        return mutated(random, body if random.random() < 0.5 else None)[:largest]

    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            (Path(corpus) / str(number)).write_bytes(seed)
        flags = [
            f"-runs={inputs}",
            f"-max_len={LONGEST}",
            "-len_control=0",
            f"-timeout={SLOWEST}",
            "-artifact_prefix=.fuzz-",
            "-verbosity=0",
        ]
        atheris.Setup([sys.argv[0], *flags, corpus], check, custom_mutator=other)
        atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS)
