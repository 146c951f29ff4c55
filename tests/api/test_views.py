"""A run that is looked at in the moment in which an operator resets it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from relayline.api.runs.views import LinkMaker, Views
from relayline.api.temporal.execution import Execution
from relayline.api.temporal.gateway import Gateway
from relayline.api.temporal.stuck import StuckRuns
from relayline.api.temporal.terminal import TerminalFacts
from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import UserMessageEvent
from relayline.contracts.runs import RunMemo, RunStatus
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from relayline.projections.terminal import Closing

NOW = datetime.now(UTC)
RUN_ID = "run_reset"


class MidReset:
    """Temporal, which has looked up the execution that a reset was just ending."""

    def __init__(self) -> None:
        self._left = [RunStatus.TERMINATED]

    async def execution(self, run_id: str) -> Execution:
        """The execution that was left, the first time; the one that goes on, then."""
        status = self._left.pop() if self._left else RunStatus.PAUSED
        closed_at = NOW if status.ended else None
        return Execution(run_id, status, None, RunMemo(status=status), NOW, closed_at)

    async def closing(self, _: str) -> Closing | None:
        """The run is not closed."""
        return None


class NothingIsWrong:
    """No run needs attention."""

    async def reason(self, _: Execution) -> str | None:
        """None."""
        return None


async def test_a_run_that_is_being_reset_is_not_told_to_have_ended(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    await journal.append(RUN_ID, [NewEvent(key="0/message/0", body=UserMessageEvent(text="hi"))])
    gateway, stuck_runs = cast("Gateway", MidReset()), cast("StuckRuns", NothingIsWrong())
    links, terminal_facts = LinkMaker("", "default"), TerminalFacts(journal, gateway)
    view = await Views(journal, gateway, links, terminal_facts, stuck_runs).find(EVERY, RUN_ID)
    assert (view.status, view.ended_at) == (RunStatus.PAUSED, None)
    await journal.close()
