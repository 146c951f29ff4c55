"""An agent as data: its tools and its limits."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from relayline.contracts.compaction import Compaction
from relayline.contracts.frozen import Frozen
from relayline.contracts.runs.model_choice import ModelChoice


def _is_none(value: object) -> bool:
    return value is None


def _is_empty(value: tuple[str, ...]) -> bool:
    return not value


class Limits(Frozen):
    """The budget of a run, or of each turn of an open one, and what follows where it is used up."""

    max_steps: int = Field(default=50, ge=1, le=10_000)
    """Model calls."""
    max_tool_calls: int = Field(default=200, ge=0, le=100_000)
    """Tool calls; retries of a call do not count."""
    max_tokens: int = Field(default=2_000_000, ge=1)
    """Input and output tokens of all model calls together."""
    max_cost: float | None = Field(default=None, gt=0, le=1_000_000, exclude_if=_is_none)
    """US dollars that all model calls together may cost; the model must have a known price."""
    max_wall_s: float = Field(default=3600, gt=0, le=30 * 86_400)
    """Seconds of work; time in a pause or waiting for a person does not count."""
    on_limit: Literal["fail", "ask"] = "fail"
    """`fail`: the run ends as `failed`; `ask`: it waits for an approval that raises the limit."""


class ApprovalRule(Frozen):
    """A condition on a call's arguments."""

    when: dict[str, JsonValue]
    """JSON Schema; a call whose arguments match it needs approval."""


class ToolSpec(Frozen):
    """A tool as data, without its code; pinned into the run's input."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    description: str = ""
    """For the model."""
    parameters: dict[str, JsonValue] = Field(default={"type": "object"})
    """JSON Schema of the arguments, `type: object`."""
    timeout_s: float = Field(default=30, gt=0, le=86_400)
    """The longest that one attempt may take."""
    retries: int = Field(default=2, ge=0, le=20)
    """Retries after the tool raised an error; a crash of the worker does not count."""
    effects: Literal["safe", "unsafe"] = "safe"
    """`unsafe`: an attempt claims the call before it runs, and it never runs twice."""
    approval: Literal["never", "always"] | ApprovalRule = "never"
    """Which calls a person must approve before they run."""
    approval_timeout_s: float = Field(default=86_400, gt=0, le=30 * 86_400)
    """How long a person has to decide; after that the call is denied."""
    asks: bool = False
    """True: the call is a question; the person's answer is its result and no tool runs."""
    agent: str | None = Field(default=None, exclude_if=_is_none)
    """Set: the call is a run of this agent, whose answer is its result, and no tool runs; left out
    otherwise."""

    @property
    def approved_when(self) -> Literal["always"] | dict[str, JsonValue] | None:
        """The rule by which a call needs approval; None: no call does."""
        if isinstance(self.approval, ApprovalRule):
            return self.approval.when
        return "always" if self.approval == "always" else None


class AgentSpec(ModelChoice):
    """An agent as data; pinned into the run's input, so a new catalog never changes a run."""

    name: str = Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$")
    instructions: str = Field(default="", max_length=65_536)
    """The system prompt."""
    template: bool = False
    """True: the instructions name what each turn fills in, see `catalog.templates`; never of
    instructions that a request gave."""
    model: str
    """`rehearsal`, `local` or `provider:name`."""
    tools: tuple[ToolSpec, ...] = ()
    mcp: tuple[str, ...] = Field(default=(), exclude_if=_is_empty)
    """Names of MCP servers whose tools it has, too; listed when a run begins. Left out if empty."""
    limits: Limits = Limits()
    compaction: Compaction | None = None
    """How to shorten a long context; None: the model always sees everything."""
    retention_days: float | None = Field(default=None, gt=0, le=36_500)
    """Days after its end after which a run of this agent is erased; None: the setting's alone."""
    think_tags: bool = False
    """True: the model's text begins with reasoning between `<think>` and `</think>`."""
    output_schema: dict[str, JsonValue] | None = Field(default=None, exclude_if=_is_none)
    """JSON Schema of the answer, an object; None: the answer is text. Left out then."""

    @property
    def candidates(self) -> tuple[str, ...]:
        """Its model, then the fallbacks, each once."""
        return tuple(dict.fromkeys((self.model, *self.fallbacks)))

    def tool(self, name: str) -> ToolSpec | None:
        """The tool with that name, None if this agent does not have it."""
        return next((spec for spec in self.tools if spec.name == name), None)
