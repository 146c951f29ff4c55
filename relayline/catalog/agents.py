"""Agents: what a user's module declares, and the catalog of everything that can run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from relayline.catalog.servers.mcp import McpServer
from relayline.catalog.tools import Tool
from relayline.contracts.compaction import Compaction
from relayline.contracts.runs import AgentSpec, Limits, ModelSettings

ASSISTANT = "assistant"
"""The built-in agent."""
ASSISTANT_INSTRUCTIONS = """\
You are a careful assistant. You have tools: use them instead of guessing, several at once when \
they do not depend on each other. Look things up in files before you answer about them, and \
calculate instead of estimating. When a tool fails, read the error, correct what you asked for or \
take another way, and say so if you cannot. Answer briefly, and name the files and pages that \
your answer rests on."""


@dataclass(frozen=True)
class Agent:
    """An agent, as a user declares it at the top level of their module."""

    name: str
    instructions: str = ""
    """The system prompt; `{tenant}`, `{user}`, `{agent}`, `{metadata.KEY}` and `{date}` in it are
    filled in once per turn."""
    model: str | None = None
    """`rehearsal`, `local` or `provider:name`; None: the deployment's default."""
    tools: Sequence[Tool | str] = ()
    """Tools, or the names of built-in tools."""
    agents: Sequence[Agent | str] = ()
    """Agents that it may ask, themselves or by name; the model sees the tool `ask_NAME` for each.
    """
    mcp: Sequence[McpServer] = ()
    """MCP servers whose tools it has, besides its own."""
    description: str = ""
    """What it can do, for the models of agents that may ask it."""
    limits: Limits = field(default_factory=Limits)
    compaction: Compaction | None = None
    """`KeepLast` or `Summarise`, applied when the context is too long; None: never compacted."""
    retention_days: float | None = None
    """Days after its end after which a run is erased; None: its events are kept for as long as
    `RELAYLINE_RETENTION_DAYS` says, which is also the most."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    """How its models are asked; a request may replace each of them."""
    fallbacks: Sequence[str] = ()
    """Models to ask, in this order, when its own is unavailable."""
    models: Sequence[str] | None = None
    """The models, beside its own, that a request may name; None: any."""
    think_tags: bool = False
    """True for a model whose text begins with its reasoning, between `<think>` and `</think>`."""
    output: type[BaseModel] | Mapping[str, JsonValue] | None = None
    """A pydantic model, or a JSON Schema of an object, that the answers fit; None: they are text.
    """


@dataclass(frozen=True)
class Catalog:
    """Everything that can run."""

    agents: Mapping[str, AgentSpec]
    tools: Mapping[str, Tool]
    """Every tool that an agent may call, by name, with its code."""
    mcp: Mapping[str, McpServer] = field(default_factory=dict)
    """Every MCP server that an agent lists, by name."""


class CatalogError(Exception):
    """A user's module has a declaration that can't be used; the message names it and the remedy."""
