"""The open runs that a run has started: what they have told, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.commands import AnyCommand, Cancel, Pause, Resume, generated_id
    from relayline.contracts.events import ChildEnded
    from relayline.contracts.family.asking import ChildReport
    from relayline.contracts.messages import Usage
    from relayline.contracts.runs import RunStatus, Waiting
    from relayline.workflows.state import RunState

_TELLS_AT_ONCE = "tells-children-at-once"
"""Patch id: in runs that started before, a pause reaches children when the run itself is paused."""


class Child:
    """An open run, as its parent sees it."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.report = ChildReport(run_id=run_id)
        """The newest that it has told."""
        self.news = False
        """True if something of it has changed since the parent looked."""
        self.stopped = False
        """True once the parent has cancelled it."""
        self._handle: workflow.ChildWorkflowHandle[Any, Any] | None = None
        self._untold: list[AnyCommand] = []
        self._told: set[str] = set()
        self._telling: asyncio.Task[None] | None = None

    @property
    def started(self) -> bool:
        """True once Temporal has its workflow."""
        return self._handle is not None

    def has_started(self, handle: workflow.ChildWorkflowHandle[Any, Any]) -> None:
        """Take note that Temporal has its workflow; it now gets what it could not be told."""
        self._handle, self.news = handle, True
        self._tell_soon()

    def tell(self, command: AnyCommand) -> None:
        """Send it the command as soon as it has started, in order, without waiting.

        Its id is derived from that of the parent's command: a repetition has no effect.
        """
        own_id = generated_id(f"{command.command_id}/{self.run_id}")
        if own_id not in self._told:
            self._told.add(own_id)
            self._untold.append(command.model_copy(update={"command_id": own_id}))
            self._tell_soon()

    def stop(self, by: str, reason: str) -> None:
        """Cancel it, once."""
        if not self.stopped:
            self.stopped = True
            self.tell(Cancel(command_id="stop", by=by, reason=reason))

    def _tell_soon(self) -> None:
        if self._handle and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell_all(self._handle))

    async def _tell_all(self, handle: workflow.ChildWorkflowHandle[Any, Any]) -> None:
        while self._untold:
            command = self._untold.pop(0)
            try:
                await handle.signal(command.kind.value, command)
            except FailureError as error:  # it has ended
                workflow.logger.debug("a run has ended already", extra={"reason": str(error)})


class Children:
    """The open runs that one run has started."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._open: dict[str, Child] = {}
        self.left: list[ChildEnded] = []
        """The ends of those whose call starts another one after a reset; the reset records them."""

    def add(self, child: Child) -> None:
        """Add an open one."""
        self._open[child.run_id] = child

    def end(self, child: Child, usage: Usage) -> None:
        """Remove one that has ended, or that nobody waits for any more."""
        if self._open.pop(child.run_id, None):
            self._state.child_usage += usage
            self._state.turn_child_usage += usage
            self._add_up()

    def leave(self, child: Child, call_id: str) -> None:
        """Have the end recorded of one that was cancelled because a reset has left it behind."""
        status, usage = RunStatus.CANCELLED, child.report.usage
        end = ChildEnded(call_id=call_id, run_id=child.run_id, status=status, usage=usage)
        self.left.append(end)

    def receive(self, payloads: tuple[object, ...]) -> None:
        """Take note of what a run tells; of one that is not open, nothing counts."""
        try:
            report = ChildReport.model_validate(next(iter(payloads), None))
        except ValidationError as error:
            workflow.logger.warning("not a report", extra={"reason": str(error)})
            return
        if child := self._open.get(report.run_id):
            child.report, child.news = report, True
            self._add_up()

    def tell(self, command: Pause | Resume) -> str:
        """Tell all of a pause or of its end; a clause with their ids, empty if there are none."""
        for child in self._open.values():
            child.tell(command)
        return f"; told: {', '.join(self._open)}" if self._open else ""

    def tell_early(self, switches: Iterable[Pause | Resume], *, paused: bool) -> None:
        """Tell of those that will change something: the run acts on them when its own calls let it.

        Args:
            switches: Commands on which the run has not acted yet.
            paused: Whether the run is paused.
        """
        for command in switches if self._open else ():
            if isinstance(command, Pause) is not paused and workflow.patched(_TELLS_AT_ONCE):
                paused = not paused
                self.tell(command)

    @property
    def waiting(self) -> tuple[Waiting, ...]:
        """What they wait for, in the order of their starts."""
        return tuple(item for child in self._open.values() for item in child.report.waiting_for)

    def _add_up(self) -> None:
        used = (child.report.usage for child in self._open.values())
        self._state.open_usage = sum(used, Usage())


async def _cancel(run_id: str) -> None:
    try:
        await workflow.get_external_workflow_handle(run_id).signal(
            Cancel.kind.value,
            Cancel(command_id=generated_id(f"void/{run_id}"), reason="its parent was reset"),
        )
    except FailureError as error:  # it has ended, or has never started
        workflow.logger.debug("a run has ended already", extra={"reason": str(error)})


async def cancel_all(run_ids: tuple[str, ...]) -> None:
    """Cancel runs whose calls a reset has made void."""
    await asyncio.gather(*map(_cancel, run_ids))
