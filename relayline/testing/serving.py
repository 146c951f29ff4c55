"""The workers of an `AgentRunner`: activities of production, each run's own tools and models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from relayline.activities.family.calls import ChildActivities
from relayline.activities.model.call import ModelActivities
from relayline.activities.model.port import ModelProvider
from relayline.activities.presence import Presence
from relayline.activities.record import RecordActivities
from relayline.activities.tool.call import ToolActivities
from relayline.catalog.tools import Tool
from relayline.contracts.family.asking import ChildBegun, ChildRequest
from relayline.contracts.runs import TASK_QUEUE
from relayline.journal.table import Storage
from relayline.testing.script import Models
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.runner import Runner, SignalHeaders


class Setting(NamedTuple):
    """What a run under test has."""

    agent: str
    tools: Mapping[str, Tool]
    models: Models


class Settings(dict[str, Setting]):
    """The settings of runs, by id."""

    def here(self) -> Setting:
        """Of the run whose activity asks."""
        return self[activity.info().workflow_id or ""]

    def provider(self, _model: str) -> ModelProvider:
        """The model of the run whose activity asks."""
        setting = self.here()
        return setting.models.of(setting.agent)


class _Tools(Mapping[str, Tool]):
    """The tools of the run whose activity asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __getitem__(self, name: str) -> Tool:
        return self._settings.here().tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.here().tools)

    def __len__(self) -> int:
        return len(self._settings.here().tools)


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


def workers_of(
    client: Client, storage: Storage, settings: Settings, queues: Iterable[str]
) -> list[Worker]:
    """Workers with the workflow and the activities of production.

    Args:
        client: Of the server.
        storage: Of the runs.
        settings: Of the runs that begin.
        queues: Those of model calls, beside that of runs.
    """
    presence, tools = Presence(), _Tools(settings)
    records, children = RecordActivities(storage, presence), _Children(storage, settings)
    calls = ToolActivities(storage, tools, presence=presence)
    model = ModelActivities(storage, settings.provider, tools, presence=presence).call_model
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
    return [own, *(Worker(client, task_queue=it, activities=[model]) for it in queues)]
