"""Where a run stands: what the `progress` query and the memo are made from. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from contracts.messages import Usage
from contracts.runs import (
    Limits,
    Phase,
    RunError,
    RunInput,
    RunMemo,
    RunProgress,
    RunStatus,
    Waiting,
)

MAX_SHOWN_TOOLS = 16


@dataclass
class RunState:
    """The live state of one run."""

    started_at: datetime
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

    def progress(self, run_input: RunInput) -> RunProgress:
        """The answer of the query."""
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
            limits=agent.limits,
            started_at=self.started_at,
            last_error=self.last_error,
        )

    def memo(self) -> RunMemo:
        """What readers see when no worker is up."""
        return RunMemo(
            status=self.status,
            step=self.step,
            usage=self.usage,
            waiting_for=self.waiting_for,
            last_error=self.last_error,
        )

    def details(self) -> str:
        """Markdown for the Temporal Web UI."""
        lines = [f"**{self.status.value}** · step {self.step} · {self.phase.value}"]
        lines += [f"waits for {item.kind}: {item.what}" for item in self.waiting_for]
        lines += [f"running `{name}`" for name in self.running_tools[:MAX_SHOWN_TOOLS]]
        used = self.usage
        lines.append(
            f"{self.tool_calls} tool calls · {used.input_tokens} + {used.output_tokens} tokens"
        )
        if self.last_error:
            lines.append(f"last error: {self.last_error.type}")
        return "\n\n".join(lines)


@dataclass(frozen=True)
class Excess:
    """A limit that was reached."""

    limit: str
    used: float
    allowed: float

    @property
    def message(self) -> str:
        """For people."""
        return f"{self.limit}={self.allowed:g} is reached ({self.used:g})"


def exceeded(state: RunState, limits: Limits, *, calls: int = 0) -> Excess | None:
    """The first limit that stands in the way of the next calls.

    Args:
        state: Where the run stands.
        limits: Its budget.
        calls: Tool calls about to start; 0 when a model call is.
    """
    if calls:
        used = state.tool_calls + calls
        over = used > limits.max_tool_calls
        return Excess("max_tool_calls", used, limits.max_tool_calls) if over else None
    if state.step >= limits.max_steps:
        return Excess("max_steps", state.step + 1, limits.max_steps)
    if state.usage.total_tokens >= limits.max_tokens:
        return Excess("max_tokens", state.usage.total_tokens, limits.max_tokens)
    return None


def overdue(limits: Limits) -> Excess:
    """The wall clock ran out."""
    return Excess("max_wall_s", limits.max_wall_s, limits.max_wall_s)
