"""Parts of the product at work by themselves, from whatever source tree is on the path.

`python -m tests.chaos.bench again FOLDER` offers a tool call that has ended to a second attempt;
`python -m tests.chaos.bench judge` prints the promises that the sample histories break.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import sys
from pathlib import Path

from temporalio.testing import ActivityEnvironment

from relayline.activities.tool.call import ToolActivities
from relayline.contracts.calls import PlannedCall, ToolRequest
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import (
    EventBody,
    MessageCompleted,
    RunCompleted,
    RunStarted,
    StepStarted,
    UserMessageEvent,
)
from relayline.contracts.messages import ToolCall
from relayline.contracts.runs import Limits
from relayline.journal.sqlite.journal import SqliteJournal
from tests.chaos.agents import note
from tests.chaos.checker import check
from tests.chaos.samples import RUN, observed, reset

CALL = "call_1_0"


async def again(folder: Path) -> None:
    """The worker died when it had written down the result and not yet told Temporal."""
    journal = SqliteJournal(folder / "journal.db")
    asked = (ToolCall(call_id=CALL, name="note"),)
    said = MessageCompleted(text="", tool_calls=asked, finish_reason="tool_calls")
    await journal.append(
        RUN,
        [
            _fact(
                "0/run/started",
                RunStarted(agent="chaos", model="rehearsal", limits=Limits(), epoch=0),
            )
        ],
    )
    await journal.append(RUN, [_fact("0/message/0", UserMessageEvent(text="hi"))])
    await journal.append(RUN, [_fact("0/step/1/started", StepStarted(model="rehearsal"), 1)])
    await journal.append(RUN, [_fact("0/step/1/message", said, 1)])
    activities = ToolActivities(journal, {"note": note})
    call = PlannedCall(call_id=CALL, name="note")
    request = ToolRequest(run_id=RUN, epoch=0, step=1, call=call, tool=note.spec)
    for attempt in (1, 2):
        env = ActivityEnvironment()
        env.info = dataclasses.replace(env.info, attempt=attempt)
        await env.run(activities.call_tool, request)
    await journal.append(RUN, [_fact("0/run/ended", RunCompleted(output=""), 1)])
    await journal.close()


def judge() -> None:
    """One promise a line."""
    for violation in check([observed(), observed(reset)]):
        sys.stdout.write(f"{violation}\n")


def _fact(key: str, body: EventBody, step: int | None = None) -> NewEvent:
    return NewEvent(key=key, body=body, step=step)


if __name__ == "__main__":
    if sys.argv[1] == "again":
        asyncio.run(again(Path(sys.argv[2])))
    else:
        judge()
    sys.stdout.flush()
    os._exit(0)
