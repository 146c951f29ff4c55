"""Runs agents in this process: real workflow, activities and journal, models as a test says."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType, TracebackType
from typing import Self
from uuid import uuid4

from temporalio.client import WorkflowHandle
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from relayline.activities.tool.mcp.opening import mcp_servers
from relayline.activities.tool.mcp.port import McpTools
from relayline.activities.tool.toolbox import ToolboxConfig, build_toolbox
from relayline.catalog.agents import Agent, Catalog, CatalogError
from relayline.catalog.family import reachable
from relayline.catalog.load import catalog_of
from relayline.catalog.tools import Tool
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events.run import run_queued
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import (
    TASK_QUEUE,
    AgentSpec,
    Limits,
    ModelSettings,
    RunInput,
    RunResult,
)
from relayline.dev.temporal_server import find_binary, server_flags
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.loop_thread import LoopThread
from relayline.runtime.temporal import data_converter
from relayline.testing.script import Script, ScriptedModels
from relayline.testing.serving import Setting, Settings, workers_of
from relayline.testing.under_test import BOUND_S, Parts, RunUnderTest, in_loop
from relayline.workflows.agent_run import AgentRun

IDLE_S = 24 * 3600.0
"""After which an open run ends."""
MODEL = "rehearsal"
"""Of every agent under test: its calls go nowhere but to the script."""
_SKIPS_TIME = ("--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true")


def ignored(_event: StoredEvent) -> None:
    """Nobody wants to be told."""


class AgentRunner:
    """Runs agents; use it as a context manager, once for many runs.

    It starts Temporal in memory, which takes about a second, and keeps a journal in a folder that
    is removed at the end. For one thread at a time.
    """

    def __init__(self, queues: Sequence[str] = ()) -> None:
        """Start nothing yet.

        Args:
            queues: Task queues of model calls, beside that of runs.
        """
        self._queues = queues
        self._loop = LoopThread("agents under test")
        self._stack = AsyncExitStack()
        self._settings = Settings()
        self._env: WorkflowEnvironment
        self._journal: SqliteJournal

    def __enter__(self) -> Self:
        """Start."""
        try:
            in_loop(self._loop, self._start)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.close()

    def close(self) -> None:
        """Stop the server; runs that have not ended are gone."""
        try:
            in_loop(self._loop, self._stack.aclose)
        finally:
            self._loop.close()

    def run(  # noqa: PLR0913  what a test may say of a run
        self,
        agent: Agent,
        message: str,
        *,
        model: Script | Mapping[str, Script] = (),
        tools: Mapping[str, object] = MappingProxyType({}),
        limits: Limits | None = None,
        metadata: Mapping[str, str] = MappingProxyType({}),
        user: str = "",
        secrets: Mapping[str, str] = MappingProxyType({}),
        open: bool = False,  # noqa: A002  as the API has it
    ) -> RunUnderTest:
        """Run the agent until it rests: it has ended, is idle, or waits for a person.

        Args:
            agent: The agent, with those that it lists.
            message: What it must do.
            model: What its model says, one element for each call; or that of several agents, by
                name. An agent without a script plays the one that its message is.
            tools: Fakes by the tools' names: functions of the tools' arguments, or results.
            limits: In place of the agent's.
            metadata: Of the run.
            user: For whom it works.
            secrets: What its tools may read, by name.
            open: True: a conversation.

        Raises:
            CatalogError: the agent can't be used, or a fake is of no tool that it has.
            StillRunning: it does not rest within 30 s.
        """
        catalog = _faked(catalog_of("the test", [agent], _builtin(), MODEL), tools)
        specs = {name: _rehearsing(spec) for name, spec in catalog.agents.items()}
        spec = specs[agent.name].model_copy(update={"limits": limits} if limits else {})
        given = RunInput(
            run_id=f"run_{uuid4().hex}",
            agent=spec,
            agents=reachable(specs, spec),
            input=message,
            metadata=dict(metadata),
            user=user,
            idle_s=IDLE_S if open else None,
        )
        scripts = model if isinstance(model, Mapping) else {agent.name: model}
        models, servers = ScriptedModels(scripts), self.servers(catalog)
        return self.begin(given, Setting(agent.name, catalog.tools, models, servers, secrets))

    def servers(self, catalog: Catalog) -> McpTools | None:
        """Its MCP servers, which are closed with the runner; None if it has none."""
        servers = mcp_servers(catalog.mcp)
        if servers:
            self._stack.push_async_callback(servers.close)
        return servers

    def begin(
        self,
        given: RunInput,
        setting: Setting,
        told: Callable[[StoredEvent], None] = ignored,
        *,
        bound_s: float = BOUND_S,
    ) -> RunUnderTest:
        """Run with this input until it rests, and tell each event.

        Raises:
            StillRunning: it does not rest within `bound_s`.
        """
        handle = in_loop(self._loop, lambda: self._begin(given, setting))
        parts = Parts(self._loop, self._env, handle, self._journal, setting, told, bound_s)
        run = RunUnderTest(parts)
        run.rest()
        return run

    async def _start(self) -> None:
        folder = self._stack.enter_context(TemporaryDirectory(prefix="relayline-"))
        self._journal = SqliteJournal(Path(folder) / "journal.db")
        self._stack.push_async_callback(self._journal.close)
        self._env = await self._stack.enter_async_context(await _started())
        parts = (self._env.client, self._journal, self._settings)
        workers, close = workers_of(*parts, self._queues)
        self._stack.push_async_callback(close)
        for worker in workers:
            await self._stack.enter_async_context(worker)

    async def _begin(
        self, given: RunInput, setting: Setting
    ) -> WorkflowHandle[AgentRun, RunResult]:
        """Journal the run and start it."""
        self._settings[given.run_id] = setting
        queued = run_queued(given, datetime.now(UTC))
        await self._journal.append(given.run_id, [NewEvent(key=QUEUED_KEY, body=queued)])
        return await self._env.client.start_workflow(
            AgentRun.run, given, id=given.run_id, task_queue=TASK_QUEUE
        )


async def _started() -> WorkflowEnvironment:
    """A Temporal server in memory that can let time go by for a run."""
    quiet = TelemetryConfig(logging=LoggingConfig(TelemetryFilter("ERROR", "ERROR")))
    with _silenced(1):
        return await WorkflowEnvironment.start_time_skipping_v2(
            ts_config=TimeSkippingConfig(enabled=False),
            dev_server_existing_path=str(find_binary()),
            dev_server_extra_args=[*server_flags(), *_SKIPS_TIME],
            data_converter=data_converter,
            runtime=Runtime(telemetry=quiet),
        )


@contextmanager
def _silenced(descriptor: int) -> Iterator[None]:
    """What processes are started with in place of that file: the server greets on stdout."""
    kept, nowhere = os.dup(descriptor), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


def _rehearsing(spec: AgentSpec) -> AgentSpec:
    """The agent with models that ask nobody but the script, also where it falls back."""
    others = tuple(f"{MODEL}:{number}" for number, _ in enumerate(spec.fallbacks, 1))
    changes = {"model": MODEL, "fallbacks": others, "settings": ModelSettings()}
    return spec.model_copy(update=changes)


def _builtin() -> Sequence[Tool]:
    """The tools that an agent may name: files of the current directory, and no commands."""
    return build_toolbox(ToolboxConfig(files_root=Path.cwd()))


def _faked(catalog: Catalog, fakes: Mapping[str, object]) -> Catalog:
    """The catalog with these tools in place of its own.

    Raises:
        CatalogError: it has no tool of that name.
    """
    if unknown := fakes.keys() - catalog.tools.keys():
        raise CatalogError(f"no tool {min(unknown)!r} to fake; there are: {sorted(catalog.tools)}")
    tools = dict(catalog.tools)
    for name, fake in fakes.items():
        tools[name] = _fake(tools[name], fake)
    return replace(catalog, tools=MappingProxyType(tools))


def _fake(tool: Tool, fake: object) -> Tool:
    """The tool with another function; it gets the context only if it takes it."""
    if not callable(fake):
        return replace(tool, function=lambda **_: fake, context_parameter=None)
    takes = tool.context_parameter in inspect.signature(fake).parameters
    return replace(tool, function=fake, context_parameter=tool.context_parameter if takes else None)
