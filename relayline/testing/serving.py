"""The workers of an `AgentRunner`: activities of production, each run's own tools and models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from relayline.activities.family.calls import ChildActivities
from relayline.activities.files.tool_images import ImageKeeper
from relayline.activities.model.call import ModelActivities
from relayline.activities.model.port import ModelProvider
from relayline.activities.presence import Presence
from relayline.activities.record import RecordActivities
from relayline.activities.tool.call import ToolActivities
from relayline.activities.tool.mcp.port import McpCall, McpFailure, McpTools
from relayline.catalog.tools import Tool, ToolContext
from relayline.contracts.family.asking import ChildBegun, ChildRequest
from relayline.contracts.mcp import Listing, McpQuestions
from relayline.contracts.runs import TASK_QUEUE
from relayline.journal.table import Storage
from relayline.testing.script import Models
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.runner import Runner, SignalHeaders

T = TypeVar("T")


class Setting(NamedTuple):
    """What a run under test has."""

    agent: str
    tools: Mapping[str, Tool]
    models: Models
    servers: McpTools | None = None
    """The MCP servers of its agents; None: they have none."""
    secrets: Mapping[str, str] = MappingProxyType({})
    """What its tools may read, by name."""


class Settings(dict[str, Setting]):
    """The settings of runs, by id."""

    def here(self) -> Setting:
        """Of the run whose activity asks."""
        return self[activity.info().workflow_id or ""]

    def provider(self, _model: str) -> ModelProvider:
        """The model of the run whose activity asks."""
        setting = self.here()
        return setting.models.of(setting.agent)


class _Here(Mapping[str, T]):
    """Something of the run whose activity asks, by name."""

    def __init__(self, here: Callable[[], Mapping[str, T]]) -> None:
        self._here = here

    def __getitem__(self, name: str) -> T:
        return self._here()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._here())

    def __len__(self) -> int:
        return len(self._here())


class _Servers:
    """The MCP servers of the run whose activity asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def listed(self, servers: Sequence[str], run_id: str) -> Listing:
        """As in `McpTools`."""
        return await self._here().listed(servers, run_id)

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """As in `McpTools`."""
        return await self._here().call(call, context)

    async def forget(self, run_id: str) -> None:
        """As in `McpTools`."""
        await self._here().forget(run_id)

    def _here(self) -> McpTools:
        servers = self._settings.here().servers
        if servers is None:
            raise McpFailure("this run has no MCP servers")
        return servers


class _Children(ChildActivities):
    """As in production; a run below has what the one above has."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        super().__init__(storage)
        self._settings = settings

    @activity.defn
    async def begin_child(self, request: ChildRequest) -> ChildBegun:
        """As of `ChildActivities`."""
        setting = self._settings[request.run_id]
        self._settings[request.child.run_id] = setting._replace(agent=request.child.agent.name)
        return await super().begin_child(request)


class Workers(NamedTuple):
    """Workers, and what they leave open."""

    workers: Sequence[Worker]
    close: Callable[[], Awaitable[None]]
    """Stops the resources of tools; call it when no worker is at work any more."""


def workers_of(
    client: Client, storage: Storage, settings: Settings, queues: Iterable[str]
) -> Workers:
    """Workers with the workflow and the activities of production.

    Args:
        client: Of the server.
        storage: Of the runs.
        settings: Of the runs that begin.
        queues: Those of model calls, beside that of runs.
    """
    presence, servers = Presence(), _Servers(settings)
    tools, secrets = _Here(lambda: settings.here().tools), _Here(lambda: settings.here().secrets)
    records, children = RecordActivities(storage, presence), _Children(storage, settings)
    calls = ToolActivities(
        *(storage, tools, None, presence),
        servers=servers,
        secrets=secrets,
        images=ImageKeeper(storage.files),
    )
    model = ModelActivities(
        storage, settings.provider, tools, presence=presence, servers=servers
    ).call_model
    own = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[AgentRun],
        workflow_runner=Runner(),
        interceptors=[SignalHeaders()],
        activities=[
            model,
            calls.call_tool,
            calls.check_arguments,
            records.record_facts,
            records.record_past,
            records.rewind,
            children.begin_child,
            children.end_child,
        ],
    )
    others = (Worker(client, task_queue=it, activities=[model]) for it in queues)
    return Workers([own, *others], calls.close)
