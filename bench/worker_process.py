"""The worker process of one contender: ``python -m bench.worker_process NAME ADDRESS QUEUE MODEL_URL``."""

from __future__ import annotations

import asyncio
import logging
import sys

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from bench.child_process import answer
from bench.contender import Contender
from bench.contenders import load
from bench.process_usage import own_cpu_seconds, own_memory
from watchkeeper.cli.event_loop import new_loop


async def main(contender: Contender, address: str, queue: str, model_url: str) -> None:
    # The SDK logs a warning for every large payload of the naive loop.
    logging.getLogger("temporalio").setLevel(logging.ERROR)
    logged = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logged)))
    client = await contender.connect(address, model_url)
    async with contender.run_worker(client, queue, model_url) as answers:
        await answer("ready", {"cpu": own_cpu_seconds, "memory": own_memory, "served": list, **answers})


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main(load(sys.argv[1]), *sys.argv[2:]))
