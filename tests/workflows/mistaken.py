"""A workflow with a mistake that the sandbox finds: it asks the machine for the time."""

from __future__ import annotations

import time

from temporalio import workflow


@workflow.defn(name="AgentRun")
class Mistaken:
    """Pretends to be the real one. A replay would read another time."""

    @workflow.run
    async def run(self, _run_input: object) -> float:
        """When this code runs."""
        return time.time()
