"""The worker process of one contender: ``python -m bench.work NAME ADDRESS QUEUE MODEL_URL``."""

from __future__ import annotations

import asyncio
import logging
import resource
import sys

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from bench.lineup import CONTENDERS
from bench.process import answer


def cpu_seconds() -> float:
    """Return the CPU time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    name, address, queue, model_url = sys.argv[1:]
    # The naive loop is warned at every request that its payload is large.
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    logged = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logged)))
    contender = CONTENDERS[name]
    client = await contender.connect(address)
    async with contender.working(client, queue, model_url) as answers:
        await answer("ready", {"cpu": cpu_seconds, **answers})


if __name__ == "__main__":
    asyncio.run(main())
