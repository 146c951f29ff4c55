"""The state of a run, for the `progress` query, the memo and the Web UI. Pure."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import NamedTuple

from pydantic import ConfigDict

from relayline.contracts.errors import ErrorType
from relayline.contracts.messages import Usage
from relayline.contracts.runs import (
    KeptFigures,
    Past,
    Phase,
    RunError,
    RunInput,
    RunMemo,
    RunProgress,
    RunStatus,
    Standing,
    Waiting,
)
from relayline.projections.markdown import code_span

MAX_SHOWN_TOOLS = 16
MAX_MISFIT_STEPS = 5
"""The run fails after so many steps in a row in which no call could run."""
MISFITS = frozenset({ErrorType.BAD_ARGUMENTS, ErrorType.UNKNOWN_TOOL})
"""Errors of calls that could not run because the model asked for them wrongly."""


class Asked(NamedTuple):
    """How a step's model is called."""

    model: str
    tried: int = 0
    """Attempts of this step that other models have taken."""
    spare: bool = False
    """True if another model is asked when this one is unavailable."""


class RunState(KeptFigures, Standing):
    """The live state of one run; the one form of its figures that changes."""

    model_config = ConfigDict(frozen=False)

    phase: Phase = Phase.STARTING
    running_tools: tuple[str, ...] = ()
    open_usage: Usage = Usage()
    """Of the open runs that it has started, and of those below them, as far as they have told."""
    misfits: int = 0
    """Calls of this step that failed with one of `MISFITS`."""

    @property
    def own_usage(self) -> Usage:
        """Usage of the newest turn, without the runs that it has started."""
        return self.usage if self.turn_usage is None else self.turn_usage

    @property
    def used(self) -> Usage:
        """Usage of the newest turn and of the runs that it has started: what limits count."""
        return self.own_usage + self.turn_child_usage + self.open_usage

    def spend(self, usage: Usage) -> None:
        """Add the usage of a step that has ended."""
        self.usage += usage
        if self.turn_usage is not None:
            self.turn_usage += usage

    def begin_turn(self) -> None:
        """Begin the next turn of an open run; limits count from here."""
        self.turn += 1
        self.turn_status = self.turn_ended_at = self.last_error = None
        self.turn_usage = self.turn_child_usage = Usage()
        self.earlier_steps, self.earlier_calls = self.step, self.tool_calls
        self.misfits = self.misfit_steps = self.model_index = 0

    def progress(self, run_input: RunInput) -> RunProgress:
        """The answer to the `progress` query."""
        return RunProgress.model_validate(
            {
                **dict(self),
                "run_id": run_input.run_id,
                "agent": run_input.agent.name,
                "model": run_input.agent.model,
                "running_tools": self.running_tools[:MAX_SHOWN_TOOLS],
            }
        )

    def memo(self) -> RunMemo:
        """The memo, which readers see when no worker is up."""
        return RunMemo.model_validate(dict(self))

    def details(self, execution: str) -> str:
        """Markdown for the Temporal Web UI.

        Args:
            execution: The options of `temporal workflow signal` that name the execution.
        """
        lines = [f"**{self.status.value}** · step {self.step} · {self.phase.value}"]
        for item in self.waiting_for:
            lines.append(f"waits for {item.kind}: {code_span(item.what)}")
            lines.append(f"```\n{signal_line(execution, item)}\n```")
        lines += [f"running {code_span(name)}" for name in self.running_tools[:MAX_SHOWN_TOOLS]]
        used = self.usage
        lines.append(
            f"{self.tool_calls} tool calls · {used.input_tokens} + {used.output_tokens} tokens"
        )
        if self.last_error:
            lines.append(f"last error: {self.last_error.type}")
        return "\n\n".join(lines)


def state_of(run_input: RunInput, now: datetime) -> RunState:
    """The state at the start of an execution, the first one or one continued as new."""
    carried = run_input.carried
    if carried is None:
        later = run_input.start_at is not None and run_input.start_at > now
        status = RunStatus.SCHEDULED if later else RunStatus.QUEUED
        past = run_input.past or Past()
        return RunState(
            started_at=now,
            limits=run_input.agent.limits,
            status=status,
            step=past.step - 1,
            earlier_steps=past.step - 1,
            turn=past.turn,
        )
    return RunState.model_validate(dict(carried))


def signal_line(execution: str, waiting: Waiting) -> str:
    """A command line for a POSIX shell that sends the run what it waits for.

    What a run below waits for goes to that run.
    """
    id_ = waiting.id
    if waiting.run_id:
        execution = f"{execution.rpartition(' ')[0]} {waiting.run_id}"
        id_ = (id_ or "").removeprefix(f"{waiting.run_id}.")
    signals: dict[str, tuple[str, dict[str, str | None]]] = {
        "resume": ("resume", {}),
        "approval": ("decide", {"approval_id": id_, "decision": "approve"}),
        "input": ("answer", {"request_id": id_, "text": "…"}),
    }
    name, given = signals[waiting.kind]
    payload = shlex.quote(json.dumps({**given, "by": "me"}, ensure_ascii=False))
    return f"temporal workflow signal {execution} --name {name} --input {payload}"


def count_misfits(state: RunState, calls: int) -> RunError | None:
    """Count a finished step in which every call was a misfit, and reset `misfits`.

    Args:
        state: The state of the run.
        calls: Number of tool calls of the step.

    Returns:
        Why the run must fail; None if it may continue.
    """
    state.misfit_steps = state.misfit_steps + 1 if state.misfits == calls else 0
    state.misfits = 0
    if state.misfit_steps < MAX_MISFIT_STEPS:
        return None
    message = (
        f"no tool call of the last {state.misfit_steps} steps could run as the model asked for it: "
        "unknown tools or invalid arguments"
    )
    return RunError(type=ErrorType.MALFORMED_CALLS, message=message, step=state.step)
