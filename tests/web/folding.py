"""The page's own reducer, in Node, beside the projection that it repeats."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relayline.contracts.envelope import StoredEvent
from relayline.projections.rendered import Rendered
from tests.web.page_files import copied_model, program

_FOLD = Path(__file__).with_name("fold.mjs")
_BATCH = 25


class Reducer:
    """The page's reducer in a process of Node."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [program("node"), str(_FOLD), str(copied_model(folder))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def folded(
        self, events: Sequence[StoredEvent], cuts: Sequence[int] | None = None
    ) -> dict[str, Any]:
        """What the page knows after each batch, and the whole of it in the end.

        Args:
            events: The journal.
            cuts: How many events are in after each batch; None: each event is a batch.
        """
        assert self._process.stdin
        assert self._process.stdout
        lines = ",".join(event.envelope_json() for event in events)
        ends = [*(range(1, len(events) + 1) if cuts is None else cuts)]
        self._process.stdin.write(f'{{"events":[{lines}],"cuts":{ends}}}\n')
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def agrees(self, events: Sequence[StoredEvent]) -> bool:
        """Whether both know the same of a run, after each of some batches and in the end."""
        cuts = [*range(_BATCH, len(events), _BATCH), len(events)]
        return bool(self.folded(events, cuts)["seen"] == expected(events, cuts))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def told(run: Rendered) -> dict[str, Any]:
    """What both know of a run."""
    return {
        "seq": run.seq,
        "status": run.status.value,
        "open": [*run.waits.open],
        "below": [item.id for item in run.waits.below],
        "steps": [
            [
                it.step, it.attempt, it.text, it.reasoning, it.ended, it.interrupted,
                it.finish_reason, it.usage.input_tokens, it.usage.output_tokens,
            ]
            for it in run.steps.values()
        ],
        "tools": [
            [
                it.call_id, it.name, it.step, dict(it.arguments), it.state.value, it.output,
                it.truncated, it.progress,
            ]
            for it in run.tools.values()
        ],
        "output": run.output,
        "error": run.error.message if run.error else None,
        "usage": [run.usage.input_tokens, run.usage.output_tokens],
    }  # fmt: skip


def expected(
    events: Sequence[StoredEvent], cuts: Sequence[int] | None = None
) -> list[dict[str, Any]]:
    """What the projection knows after each batch."""
    wanted = {*(range(1, len(events) + 1) if cuts is None else cuts)}
    run, found = Rendered(), []
    for count, event in enumerate(events, 1):
        run = run.apply(event)
        if count in wanted:
            found.append(told(run))
    return found
