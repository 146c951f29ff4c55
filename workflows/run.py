"""One run: the state, the commands and the one way to wait that its parts share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.access.proofs import BY_TEMPORAL
    from relayline.contracts.calls import preview
    from relayline.contracts.commands import AnyCommand, Cancel
    from relayline.contracts.errors import ErrorType
    from relayline.contracts.keys import epoch_prefix, rewound_key
    from relayline.contracts.runs import Carried, Phase, RunInput, RunStatus, Waiting
    from relayline.workflows.children.child import Children
    from relayline.workflows.children.reporting import Reporting
    from relayline.workflows.clock import Timer, WorkClock
    from relayline.workflows.dispatch import Dispatcher, error_of, had_ended, is_stale
    from relayline.workflows.facts import Facts
    from relayline.workflows.inbox import Stop
    from relayline.workflows.outbox import PendingFacts
    from relayline.workflows.signals.received import usable
    from relayline.workflows.state import state_of
    from relayline.workflows.steering import Steering
    from relayline.workflows.turns.messages import turn_completed
    from relayline.workflows.visibility import Visibility

_REASON_CHARS = 1000
"""A longer reason of a cancel request is cut, because the request must not be refused."""
_PAUSED = Waiting(kind="resume", what="the run is paused; send `resume`")


class Run:
    """One run, as its steps see it."""

    def __init__(self, run_input: RunInput) -> None:
        now = workflow.now()
        carried = run_input.carried
        self.input = run_input
        self.state = state_of(run_input, now)
        self.pending = PendingFacts()
        self.facts = Facts(carried.epoch if carried else 0)
        self.dispatcher = Dispatcher(run_input, self.facts, self.pending)
        is_open = run_input.idle_s is not None
        self.steering = Steering(self.state, self.pending, self.facts, is_open=is_open)
        self.children = Children(self.state)
        self.steering.tell = self.children.tell
        self._reporting = Reporting(run_input, self.state)
        self.clock = WorkClock(now, carried.worked_s if carried else 0)
        self.scheduled = not carried and bool(run_input.start_at and run_input.start_at > now)
        """True until a run starts that was submitted for later."""
        self.moves = False
        """True once housekeeping has asked it to leave its build."""
        self.took_agent = False
        """True once a message has given it another agent, until it continues as new."""
        self.clock.switch(now, idle=self.scheduled)
        self._visibility = Visibility(self.state, untouched=carried is None)
        self._announced: tuple[Waiting, ...] = ()
        self._resets = self._caught_up = 0
        self._length_checks = 0
        workflow.register_random_seed_callback(self._was_reset)
        if carried:
            self.steering.paused = carried.paused
            self.steering.inbox.remember(carried.seen)
            self.pending.known.extend(carried.known)

    def start_clock(self) -> None:
        """Start a run that was submitted for later: its time at work counts from now."""
        now = workflow.now()
        self.scheduled, self.state.started_at = False, now
        self.clock.switch(now, idle=False)

    @property
    def turn(self) -> int | None:
        """The newest turn; None in a run that is not open."""
        return None if self.input.idle_s is None else self.state.turn

    @property
    def idle(self) -> bool:
        """True between two turns of an open run."""
        return self.state.turn_status is not None

    @property
    def must_move(self) -> bool:
        """True if it is idle and should continue on another build."""
        return self.idle and self.moves

    @property
    def epoch(self) -> int:
        """0 at first; each reset by an operator begins a new epoch."""
        return self.facts.epoch

    def _was_reset(self, _: int) -> None:
        """Temporal sets a new random seed when the workflow continues after a reset."""
        self._resets += 1

    @property
    def was_reset(self) -> bool:
        """True after an operator's reset, until the journal has it."""
        return self._caught_up < self._resets

    def is_stale(self, error: ActivityError) -> bool:
        """True when the failed call was already running before an operator reset the run."""
        return is_stale(error, was_reset=self.was_reset)

    async def catch_up(self) -> None:
        """After a reset, record it before anything new starts, and begin a new epoch.

        Raises:
            ApplicationError: the journal can't record it, for example because the run's events
                are past retention. The run then fails in Temporal, without a terminal fact.
        """
        while self.was_reset:
            resets = self._resets
            key = rewound_key(workflow.info().run_id, resets)
            left = tuple(self.children.left)
            rewinding = asyncio.create_task(self.dispatcher.rewind(key, left))
            await self._wait(rewinding.done)
            epoch = self._rewound(rewinding)
            self.children.left.clear()
            self.pending.rename(epoch_prefix(self.epoch), epoch_prefix(epoch))
            self.facts.epoch = epoch
            self._caught_up = resets
            self._announced = tuple(item for item in self._announced if not item.run_id)
            if self.steering.paused:
                self.pending.add(self.facts.still_paused(self.state.step))
            if self.idle:  # the earlier one may be void
                self.pending.add(turn_completed(self.epoch, self.input.agent, self.state))

    def _rewound(self, rewinding: asyncio.Task[int]) -> int:
        """The new epoch."""
        try:
            return rewinding.result()
        except ActivityError as error:
            why = error_of(error, self.state.step, ErrorType.JOURNAL_INCOMPLETE)
            self.state.last_error = why
            self.show_end(RunStatus.FAILED)
            raise ApplicationError(why.message, type=why.type, non_retryable=True) from error

    @property
    def stop(self) -> Stop:
        """How much of the running work must stop now."""
        out_of_time = self.clock.overdue and self.state.limits.on_limit == "fail"
        return Stop.CANCEL if out_of_time else self.steering.stop

    def should_continue_as_new(self) -> bool:
        """True when the run should continue as new because its history is long, or to move.

        Temporal's suggestion is not deterministic: a retried task can come without it although the
        history then records one. So a patch marker for each check records the decision.
        """
        info = workflow.info()
        self._length_checks += 1
        if self.must_move or self.took_agent:
            return True
        if info.get_current_history_length() >= self.input.history_bound:
            return True
        suggested = info.is_continue_as_new_suggested()
        return suggested and workflow.patched(f"suggested-{self._length_checks}")

    def carried(self) -> Carried:
        """What the run keeps when it continues as new."""
        return Carried.model_validate(
            {
                **dict(self.state),
                "epoch": self.epoch,
                "known": tuple(self.pending.known),
                "worked_s": self.clock.worked_s(workflow.now()),
                "paused": self.steering.paused,
                "seen": self.steering.inbox.seen,
            }
        )

    def receive(self, command: AnyCommand, payloads: tuple[object, ...] = ()) -> None:
        """Receive a command, whatever its signal held."""
        needs_proof = bool(self.input.by)
        self.steering.inbox.put(usable(command, payloads, needs_proof=needs_proof))

    def acknowledge(self) -> None:
        """Acknowledge the commands that have arrived."""
        self.steering.acknowledge(workflow.now())
        self.children.tell_early(self.steering.inbox.switches, paused=self.steering.paused)

    def show(self, phase: Phase, *, busy: bool) -> None:
        """Update the status that people see.

        Args:
            phase: What the run is doing.
            busy: True while a call runs. Otherwise the work clock stops while the run is paused
                or waits for a person.
        """
        waiting = (*self.steering.gates.waiting, *self.children.waiting)
        self._announce(waiting)
        paused = self.steering.paused and not busy
        status = RunStatus.SCHEDULED if self.scheduled else RunStatus.RUNNING
        status = RunStatus.WAITING if waiting else status
        status = RunStatus.IDLE if self.idle else status
        if paused:
            others = (item for item in waiting if item.kind != "resume")
            status, phase, waiting = RunStatus.PAUSED, Phase.PAUSED, (_PAUSED, *others)
        rests = self.scheduled or self.idle
        self.clock.switch(workflow.now(), idle=rests or (bool(waiting) and not busy))
        self._visibility.update(status, phase, *waiting)
        self._reporting.tell(waiting)

    def _announce(self, waiting: tuple[Waiting, ...]) -> None:
        """Record what the run waits for if that is all new, or has changed below the run."""
        before = self._announced
        below, known = (tuple(it for it in items if it.run_id) for items in (waiting, before))
        if below != known or (waiting and not any(item in before for item in waiting)):
            self.state.waits += 1
            self.pending.add(self.facts.waiting(self.state.waits, self.state.step, waiting))
        self._announced = waiting

    def show_end(self, status: RunStatus) -> None:
        """Show that the run has ended."""
        self._visibility.update(status, Phase.ENDED)

    async def make_room(self, carriers: int = 1) -> None:
        """Record facts until each of `carriers` activities can carry the rest together."""
        while self.pending.overflows(carriers):
            await self.record("journal")

    async def record(self, summary: str) -> None:
        """Record the pending facts and wait until the journal has them, however long it takes.

        If the run had ended before a reset, this records the reset instead; the facts stay
        pending.
        """
        try:
            await self.settled(asyncio.create_task(self.dispatcher.record(summary)))
        except ActivityError as error:
            if not (self.was_reset and had_ended(error)):
                raise
            await self.catch_up()

    def watch_clock(self) -> None:
        """Note when the run has worked for `max_wall_s`."""
        self.clock.watch(lambda: self.state.limits.max_wall_s)

    async def until(
        self,
        woken: Callable[[], bool] = lambda: False,
        *,
        timer: Timer | None = None,
        busy: bool = False,
    ) -> None:
        """Wait for a command, or for `woken`; whatever a run waits for, it waits here.

        Facts that no activity carries yet are recorded meanwhile. While nothing runs, an operator's
        reset wakes the run, too, and is recorded on return.

        Args:
            woken: What else to wait for.
            timer: The same, where it is a timer that fires.
            busy: True while a call runs, whose end must come before a reset is recorded.
        """

        def over() -> bool:
            reset = self.was_reset and not busy
            fired = timer is not None and timer.fired
            return self.steering.inbox.unread or reset or fired or woken()

        self.dispatcher.record_soon()
        await self._wait(over)
        if not busy:
            await self.catch_up()

    async def settled(self, work: asyncio.Task[None]) -> None:
        """Wait for work that no command interrupts; raises what it raises."""
        await self._wait(work.done)
        await work

    async def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition; a cancel request from Temporal becomes a command.

        After such a request the condition is checked again, once everything that arrived with the
        request is in: a call whose result is already here must not be cancelled.
        """
        waiting = not condition()
        while waiting:
            try:
                await workflow.wait_condition(condition)
                waiting = False
            except asyncio.CancelledError:
                reason = preview(workflow.cancellation_reason() or "", _REASON_CHARS)
                self.receive(Cancel(by=BY_TEMPORAL, reason=reason))
