"""Builds of the workers side by side: which run is whose, and who says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Self
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import VersioningBehavior

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.api.temporal.stuck import NO_WORKER
from relayline.console.deployments import Deployment, DeployRefused, WorkerCheck
from relayline.contracts.commands import Pause, Resume
from relayline.contracts.housekeeping import (
    HOUSEKEEPING_QUEUE,
    HousekeepingRequest,
    HousekeepingResult,
)
from relayline.contracts.runs import TASK_QUEUE, AgentSpec, RunInput, RunResult, RunStatus, ToolSpec
from relayline.housekeeper import build_housekeeper
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import BadSettings, Settings, load_settings
from relayline.runtime.temporal import data_converter
from relayline.worker import build_worker, deployment_of
from relayline.workflows.agent_run import AgentRun
from relayline.workflows.housekeeping import Housekeeping
from tests.activities.model.providers.stand_in import serving as serving_models
from tests.api.serving import serving
from tests.console.test_cli import Ended, relayline
from tests.workers.test_kinds import attention, lacking

pytestmark = [
    pytest.mark.stack,
    pytest.mark.timeout(150),  # Temporal takes seconds to know a new build
]
Handle = WorkflowHandle[AgentRun, RunResult]
SLEEP = ToolSpec(name="sleep", parameters={"type": "object"})
CALL = {"call": "sleep", "arguments": {"seconds": 0}}
BOUND_S = 40


class Site:
    """Workers of several builds on one Temporal."""

    def __init__(self, temporal: Client, journal: SqliteJournal, models_url: str) -> None:
        self._stack = AsyncExitStack()
        self._hired: dict[str, AsyncExitStack] = {}
        self._providers = ProviderConfig(compatible_base_url=models_url)
        self.temporal, self.journal = temporal, journal
        self.address = temporal.service_client.config.target_host

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def hire(
        self, build: str, queues: str = "runs,models,tools", deployment: str = "relayline"
    ) -> None:
        """Workers of that build; Temporal's histories know them by its id."""
        client = await Client.connect(self.address, identity=build, data_converter=data_converter)
        providers = provider_for(self._providers)
        self._stack.push_async_callback(providers.aclose)
        hired = await self._stack.enter_async_context(AsyncExitStack())
        self._hired[build] = hired
        settings = Settings(build_id=build, queues=queues, deployment=deployment, drain_s=0.1)
        made = build_worker(client, self.journal, providers, settings)
        await hired.enter_async_context(made)
        housekeeping = deployment_of(settings, VersioningBehavior.AUTO_UPGRADE)
        keeper = build_housekeeper(client, self.journal, None, housekeeping)
        await hired.enter_async_context(keeper)

    async def dismiss(self, build: str) -> None:
        """Stop the workers of that build that were hired last."""
        await self._hired.pop(build).aclose()

    async def deploy(self, *words: str) -> Ended:
        return await relayline("deploy", *words, env={"TEMPORAL_ADDRESS": self.address})

    async def deployed(self, *words: str) -> str:
        """Its output; Temporal knows a build from the first question of its workers on."""
        async with asyncio.timeout(BOUND_S):
            while "no worker of build" in (said := await self.deploy(*words)).err:
                await asyncio.sleep(0.1)
        assert (said.code, said.err) == (0, "")
        return said.out

    async def start(self, model: str, *items: object, held: bool = False) -> Handle:
        run_id = f"run_{uuid4().hex}"
        agent = AgentSpec(name="tested", model=model, tools=(SLEEP,))
        script = json.dumps({"rehearse": items})
        given = RunInput(run_id=run_id, agent=agent, input=script, history_bound=40)
        run = await self.temporal.start_workflow(
            AgentRun.run,
            given,
            id=run_id,
            task_queue=TASK_QUEUE,
            start_signal="pause" if held else None,
            start_signal_args=[Pause()] if held else [],
        )
        if held:
            async with asyncio.timeout(BOUND_S):
                while (await run.query(AgentRun.progress)).status is not RunStatus.PAUSED:
                    await asyncio.sleep(0.02)
        return run

    async def housekeeping(self) -> WorkflowHandle[Housekeeping, HousekeepingResult]:
        return await self.temporal.start_workflow(
            Housekeeping.run,
            HousekeepingRequest(),
            id=f"round_{uuid4().hex}",
            task_queue=HOUSEKEEPING_QUEUE,
        )


class Done(NamedTuple):
    """By which builds."""

    decisions: list[str]
    calls: list[str]


async def done(run: WorkflowHandle[Any, Any], *, resume: bool = False) -> list[Done]:
    """Who worked on each execution of a run; waits for its end."""
    if resume:
        await run.signal(AgentRun.resume, Resume())
    told = []
    async with asyncio.timeout(BOUND_S):
        await run.result()
    following = run.first_execution_run_id or ""
    while following:
        handle = run._client.get_workflow_handle(run.id, run_id=following)  # noqa: SLF001
        decisions, calls, following = set(), set(), ""
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_started_event_attributes"):
                decisions.add(event.workflow_task_started_event_attributes.identity)
            if event.HasField("activity_task_started_event_attributes"):
                calls.add(event.activity_task_started_event_attributes.identity)
            closed = event.workflow_execution_continued_as_new_event_attributes
            following = closed.new_execution_run_id or following
        told.append(Done(sorted(decisions), sorted(calls)))
    return told


@pytest.fixture
async def site(own_temporal: Client, journal: SqliteJournal) -> AsyncIterator[Site]:
    async with serving_models() as models, Site(own_temporal, journal, models.url) as made:
        yield made


async def test_no_build_takes_runs_before_it_is_current(site: Site) -> None:
    async with serving(Settings(), site.journal, site.temporal) as api:
        await site.hire("v1")
        early = await site.start("rehearsal")
        async with asyncio.timeout(BOUND_S):
            while await attention(api, early.id) != NO_WORKER:
                await asyncio.sleep(0.1)
        told = (await lacking(api))["runs"]
        assert told.startswith("no build is current, workers have v1")
        assert await site.deployed("set-current", "v1") == "new runs go to build v1\n"
        assert await done(early) == [Done(["v1"], ["v1"])]
        assert await lacking(api) == {}


async def test_a_run_stays_with_its_build_until_it_goes_on_in_a_new_execution(site: Site) -> None:
    await site.hire("v1")
    await site.deployed("set-current", "v1")
    stays = await site.start("compatible:text", held=True)
    moves = await site.start("rehearsal", *[CALL] * 4, {"say": "done"}, held=True)
    await site.hire("v2")
    await site.deployed("set-current", "v2")
    status = (await site.deployed("status")).splitlines()
    assert [line.split() for line in status] == [
        ["BUILD", "NEW", "RUNS", "STATE", "OPEN", "RUNS", "WORKERS", "NOW"],
        ["v2", "100", "%", "current", "0", "runs,", "models,", "tools"],
        ["v1", "0", "%", "draining", "2", "runs,", "models,", "tools"],
        ["(none)", "0", "%", "0", "nobody"],
    ]
    assert await done(await site.start("rehearsal")) == [Done(["v2"], ["v2"])]
    assert await done(await site.housekeeping()) == [Done(["v2"], ["v2"])]
    assert await done(stays, resume=True) == [Done(["v1"], ["v1"])], "its model calls, too"
    first, *rest = await done(moves, resume=True)
    assert first == Done(["v1"], ["v1"])
    assert rest
    assert all(execution == Done(["v2"], ["v2"]) for execution in rest)


async def test_a_ramp_sends_a_share_of_new_runs(site: Site) -> None:
    await site.hire("v1")
    await site.hire("v2")
    await site.deployed("set-current", "v1")
    for _ in range(2):
        assert await site.deployed("ramp", "v2", "50") == "50 % of new runs go to build v2\n"
    runs = await asyncio.gather(*(site.start("rehearsal") for _ in range(20)))
    ended = await asyncio.gather(*(done(run) for run in runs))
    assert {tuple(execution.decisions) for [execution] in ended} == {("v1",), ("v2",)}
    shares = [line.split()[:4] for line in (await site.deployed("status")).splitlines()[1:3]]
    assert sorted(shares) == [["v1", "50", "%", "current"], ["v2", "50", "%", "ramping"]]
    for _ in range(2):
        assert await site.deployed("ramp", "v2", "0") == "0 % of new runs go to build v2\n"
    shares = [line.split()[:4] for line in (await site.deployed("status")).splitlines()[1:3]]
    assert sorted(shares) == [["v1", "100", "%", "current"], ["v2", "0", "%", "draining"]]


async def test_what_can_not_be_deployed_is_told_in_one_line(site: Site) -> None:
    nobody = await site.deploy("status")
    assert (nobody.code, len(nobody.err.splitlines())) == (1, 1)
    assert "no worker of any build in deployment 'relayline'" in nobody.err
    gone = await relayline("deploy", "status", env={"TEMPORAL_ADDRESS": "127.0.0.1:1"})
    assert (gone.code, len(gone.err.splitlines())) == (1, 1)
    assert "Temporal at '127.0.0.1:1' did not answer" in gone.err

    deployment = Deployment(site.temporal, "relayline")
    await site.hire("v1")
    await deployment.set_current("v1", WorkerCheck(BOUND_S))
    with pytest.raises(DeployRefused, match=r"no worker of build 'v7' in .*BUILD_ID=v7$"):
        await deployment.set_current("v7", WorkerCheck(0))
    await site.hire("v2", "runs")
    with pytest.raises(DeployRefused, match="no worker of build 'v2' takes models, tools in "):
        await deployment.set_current("v2", WorkerCheck(1))
    assert (await deployment.status())[1].split()[:2] == ["v2", "0"]
    await deployment.set_current("v2", WorkerCheck(10, partial=True))
    with pytest.raises(DeployRefused, match="already current"):
        await deployment.ramp("v2", 10, WorkerCheck(10, partial=True))
    with pytest.raises(DeployRefused, match=r"build 'v2' is current and .* with set-current$"):
        await deployment.ramp("v2", 0, WorkerCheck(0))
    with pytest.raises(DeployRefused, match=r"no build 'v7' in .*: use one of v1, v2$"):
        await deployment.ramp("v7", 0, WorkerCheck(0))


async def test_a_build_whose_workers_have_left_gets_no_new_runs(site: Site) -> None:
    deployment = Deployment(site.temporal, "relayline")
    for build in ("v1", "v2"):
        await site.hire(build)
        await site.deployed("set-current", build)
    await site.dismiss("v1")
    for words in (["set-current", "v1"], ["ramp", "v1", "50"], ["set-current", "v1", "--partial"]):
        said = await site.deploy(*words, "--wait", "1")
        assert (said.code, said.out) == (1, "")
        assert "no worker of build 'v1' in deployment" in said.err
    await site.hire("v1", "runs")
    with pytest.raises(DeployRefused, match="no worker of build 'v1' takes models, tools in "):
        await deployment.set_current("v1", WorkerCheck(1))
    coming = asyncio.create_task(deployment.ramp("v1", 50, WorkerCheck(BOUND_S)))
    await site.hire("v1", "models,tools")
    await coming
    rows = [line.split()[:3] for line in await deployment.status()]
    assert sorted(rows[1:3]) == [["v1", "50", "%"], ["v2", "50", "%"]]


async def test_workers_of_another_deployment_do_not_count(site: Site) -> None:
    await site.hire("v1")
    await site.deployed("set-current", "v1")
    await site.hire("v2", deployment="other")
    deployment = Deployment(site.temporal, "other")
    await deployment.set_current("v2", WorkerCheck(BOUND_S))
    assert [line.split()[0] for line in await deployment.status()] == ["BUILD", "v2", "(none)"]
    await site.dismiss("v2")
    await site.hire("v2", deployment="third")
    with pytest.raises(DeployRefused, match="no worker of build 'v2' in deployment 'other'"):
        await deployment.set_current("v2", WorkerCheck(1))


async def test_a_namespace_that_is_not_there_is_no_lack_of_workers(site: Site) -> None:
    env = {"TEMPORAL_ADDRESS": site.address, "TEMPORAL_NAMESPACE": "gone"}
    for words in (["status"], ["set-current", "v1"], ["ramp", "v1", "5"], ["ramp", "v1", "0"]):
        said = await relayline("deploy", *words, env=env)
        assert said.code == 1
        assert said.err.startswith("relayline: Temporal has no namespace 'gone': `temporal ")
        assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("BUILD_ID", "a b"), ("BUILD_ID", "a:b"), ("DEPLOYMENT", "a.b")]
)
def test_names_that_temporal_would_not_take_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"RELAYLINE_{name}", value)
    with pytest.raises(BadSettings, match=f"RELAYLINE_{name} is '{value}'"):
        load_settings()
