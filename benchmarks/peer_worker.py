"""The peers' own worker process: `python -m benchmarks.peer_worker TEMPORAL_ADDRESS`."""

from __future__ import annotations

import asyncio
import signal
import sys

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from benchmarks.bare import QUEUE, Bare, BareParent, Held, held, now
from benchmarks.peers import StreamedRun, stream_tokens


async def main(address: str) -> None:
    """Work until SIGTERM."""
    client = await Client.connect(address, data_converter=pydantic_data_converter)
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=[Bare, BareParent, Held, StreamedRun],
        activities=[held, now, stream_tokens],
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with worker:
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
