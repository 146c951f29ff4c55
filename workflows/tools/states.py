"""The states of a tool call: asked, ready, running, unknown, ended."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from relayline.contracts.calls import CheckResult
    from relayline.workflows.clock import Timer
    from relayline.workflows.dispatch import ToolStarted
    from relayline.workflows.gates import Gate


@dataclass
class Asked:
    """A person must approve it, or answer, first."""

    gate: Gate
    expiry: Timer | None
    """Fires when the time to answer is over; None: there is no hurry."""
    check: workflow.ActivityHandle[CheckResult] | None = None
    """The check of arguments that replace the model's."""

    @property
    def woken(self) -> bool:
        """True when the time is over or the check has ended."""
        expired = self.expiry is not None and self.expiry.fired
        return expired or (self.check is not None and self.check.done())

    def leave(self) -> None:
        """Stop the timer."""
        if self.expiry:
            self.expiry.stop()


@dataclass
class Ready:
    """It can start, unless the run is paused."""


@dataclass
class Running:
    """Its activity runs."""

    started: ToolStarted
    stop_bound: Timer | None = None
    """Set once it was cancelled; when it fires, the run continues without the call."""

    @property
    def woken(self) -> bool:
        """True when the activity has ended or has not stopped in time."""
        return self.started.handle.done() or self.stopped_late

    @property
    def stopped_late(self) -> bool:
        """True when it has not stopped in time."""
        return self.stop_bound is not None and self.stop_bound.fired

    def leave(self) -> None:
        """Stop the timer."""
        if self.stop_bound:
            self.stop_bound.stop()


@dataclass
class Unknown:
    """Nobody knows whether it has run; a person is asked once a reset is recorded."""


@dataclass
class Ended:
    """It has ended, with one fact."""


State = Asked | Ready | Running | Unknown | Ended
