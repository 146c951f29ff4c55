"""The state of a run, for the `progress` query, the memo and the limits. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import JsonValue, ValidationError

from relayline.contracts.errors import ErrorType
from relayline.contracts.messages import Usage
from relayline.contracts.money import Cost
from relayline.contracts.runs import (
    Limits,
    Phase,
    RunError,
    RunInput,
    RunMemo,
    RunProgress,
    RunStatus,
    Waiting,
)
from relayline.projections.markdown import code_span

MAX_SHOWN_TOOLS = 16
MAX_MISFIT_STEPS = 5
"""The run fails after so many steps in a row in which no call could run."""
MISFITS = frozenset({ErrorType.BAD_ARGUMENTS, ErrorType.UNKNOWN_TOOL})
"""Errors of calls that could not run because the model asked for them wrongly."""


@dataclass
class RunState:
    """The live state of one run."""

    started_at: datetime
    limits: Limits
    """The current limits: an approval may have raised them."""
    status: RunStatus = RunStatus.QUEUED
    phase: Phase = Phase.STARTING
    step: int = 0
    tool_calls: int = 0
    usage: Usage = field(default_factory=Usage)
    waiting_for: tuple[Waiting, ...] = ()
    running_tools: tuple[str, ...] = ()
    last_error: RunError | None = None
    preview: str = ""
    """The beginning of the newest answer."""
    misfits: int = 0
    """Calls of this step that failed with one of `MISFITS`."""
    misfit_steps: int = 0
    """The latest steps in a row in which every call was a misfit."""

    def progress(self, run_input: RunInput) -> RunProgress:
        """The answer to the `progress` query."""
        agent = run_input.agent
        return RunProgress(
            run_id=run_input.run_id,
            agent=agent.name,
            model=agent.model,
            status=self.status,
            step=self.step,
            phase=self.phase,
            waiting_for=self.waiting_for,
            tool_calls=self.tool_calls,
            running_tools=self.running_tools[:MAX_SHOWN_TOOLS],
            usage=self.usage,
            limits=self.limits,
            started_at=self.started_at,
            last_error=self.last_error,
        )

    def memo(self) -> RunMemo:
        """The memo, which readers see when no worker is up."""
        return RunMemo(
            status=self.status,
            step=self.step,
            usage=self.usage,
            waiting_for=self.waiting_for,
            last_error=self.last_error,
        )

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
        return RunState(started_at=now, limits=run_input.agent.limits, status=status)
    return RunState(
        started_at=carried.started_at,
        limits=carried.limits,
        step=carried.step,
        tool_calls=carried.tool_calls,
        usage=carried.usage,
        preview=carried.preview,
        last_error=carried.last_error,
        misfit_steps=carried.misfit_steps,
    )


def signal_line(execution: str, waiting: Waiting) -> str:
    """A command line for a POSIX shell that sends the run what it waits for."""
    signals: dict[str, tuple[str, dict[str, str | None]]] = {
        "resume": ("resume", {}),
        "approval": ("decide", {"approval_id": waiting.id, "decision": "approve"}),
        "input": ("answer", {"request_id": waiting.id, "text": "…"}),
    }
    name, given = signals[waiting.kind]
    payload = shlex.quote(json.dumps({**given, "by": "me"}, ensure_ascii=False))
    return f"temporal workflow signal {execution} --name {name} --input {payload}"


@dataclass(frozen=True)
class Excess:
    """A limit that the run has reached."""

    limit: str
    used: float
    allowed: float

    @property
    def message(self) -> str:
        """For people: `max_steps=1 is used up: the run would need 2`."""
        reached = f"{self.limit}={self.allowed:g} is used up"
        if self.used <= self.allowed:
            return reached
        how = "has used" if self.limit in {"max_tokens", "max_cost"} else "would need"
        return f"{reached}: the run {how} {self.used:g}"


def exceeded(state: RunState, *, calls: int = 0) -> Excess | None:
    """The first limit that does not allow the next calls, None if all do.

    Args:
        state: The state of the run, with its limits.
        calls: Number of tool calls about to start; 0 for a model call.
    """
    limits = state.limits
    if calls:
        used = state.tool_calls + calls
        over = used > limits.max_tool_calls
        return Excess("max_tool_calls", used, limits.max_tool_calls) if over else None
    if state.step >= limits.max_steps:
        return Excess("max_steps", state.step + 1, limits.max_steps)
    if state.usage.total_tokens >= limits.max_tokens:
        return Excess("max_tokens", state.usage.total_tokens, limits.max_tokens)
    return _overspent(state.usage.cost, limits.max_cost)


def _overspent(cost: Cost | None, allowed: float | None) -> Excess | None:
    """The excess of a run that has cost as much as it may; compared as decimal numbers."""
    if cost is None or allowed is None or cost.dollars < Decimal(str(allowed)):
        return None
    return Excess("max_cost", float(cost.dollars), allowed)


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


def overdue(limits: Limits) -> Excess:
    """The excess of a run that has worked for `max_wall_s`."""
    return Excess("max_wall_s", limits.max_wall_s, limits.max_wall_s)


def suggested_limit(excess: Excess) -> float:
    """The limit to offer to a person: twice the old one, or more if the run already used more."""
    double = 2 * excess.allowed
    return double if double > excess.used else excess.used + max(excess.allowed, 1)


def raised(limits: Limits, excess: Excess, arguments: Mapping[str, JsonValue]) -> Limits | str:
    """The limits, with the reached one raised to `arguments["raise_to"]`.

    Returns:
        The new limits, or what is wrong with the arguments.
    """
    wanted = arguments.get("raise_to")
    if isinstance(wanted, bool) or not isinstance(wanted, int | float) or wanted <= excess.allowed:
        return f"arguments.raise_to: must be a number above {excess.allowed:g}"
    try:
        return Limits.model_validate({**limits.model_dump(), excess.limit: wanted})
    except ValidationError as error:
        return f"arguments.raise_to: {error.errors(include_url=False)[0]['msg']}"
