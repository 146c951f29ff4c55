"""`relayline run --dry`: an agent of the catalog, in this process; nothing changes outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from uuid import uuid4

from pydantic import ValidationError

from relayline.activities.model.port import ModelProvider, Prompt
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.tool.mcp.port import McpCall, McpTools
from relayline.catalog.agents import Catalog, CatalogError
from relayline.catalog.family import reachable
from relayline.catalog.model_settings import misfit_of
from relayline.catalog.models import UnknownModelName, model_queue, parse_model
from relayline.catalog.schemas.output_schema import UnusableSchema, check_output_schema
from relayline.catalog.tools import Tool, ToolContext
from relayline.console.tty.dry_shown import DryRun
from relayline.contracts.envelope import StoredEvent
from relayline.contracts.mcp import McpQuestions
from relayline.contracts.runs import AgentSpec, Limits, ModelSettings, RunInput, RunStatus
from relayline.dev.options import DevError
from relayline.runtime.secret import tool_secrets
from relayline.runtime.settings import BadSettings, Settings
from relayline.testing.runner import AgentRunner
from relayline.testing.script import Script
from relayline.testing.serving import Setting
from relayline.testing.under_test import BOUND_S, StillRunning
from relayline.wiring import build_catalog

NOT_DONE = "not done: this is a dry run"
"""What tools with unsafe effects return."""


class NoDryRun(Exception):
    """It can't be done; the message says why."""


class _RealModels:
    """The models that the agents name, as the settings have them."""

    def __init__(self, settings: Settings, agents: Mapping[str, AgentSpec]) -> None:
        given = (settings.compatible_base_url, settings.compatible_api_key, settings.local_base_url)
        self._providers = provider_for(ProviderConfig(*given, settings.model_idle_s))
        self._agents = agents
        self.prompts: list[Prompt] = []

    def of(self, agent: str) -> ModelProvider:
        """As in `Models`."""
        return self._providers(self._agents[agent].model)

    def extend(self, agent: str, script: Script) -> None:
        """Real models have no script."""


def dry_run(settings: Settings, asked: DryRun, told: Callable[[StoredEvent], None]) -> RunStatus:
    """Run the agent until it ends or waits for a person; how it stands then.

    Its models are asked and its tools run, but tools with unsafe effects are not: they answer that
    nothing was done. Nothing is kept.

    Args:
        settings: With the catalog and the providers.
        asked: Whose run; its model, settings and limits replace those of the agent.
        told: Called with each event.

    Raises:
        NoDryRun: the catalog, the agent, the model, the schema, a setting or a limit can't be used,
            Temporal can't be started, or the run lasts longer than its limit.
    """
    try:
        return _dry_run(settings, asked, told)
    except (CatalogError, BadSettings, UnknownModelName, DevError, StillRunning) as error:
        raise NoDryRun(str(error)) from error
    except UnusableSchema as error:
        raise NoDryRun(f"output_schema: {error}") from error
    except ValidationError as error:
        [problem, *_] = error.errors(include_url=False, include_input=False)
        where = "settings" if error.title == ModelSettings.__name__ else "limits"
        raise NoDryRun(f"{where}.{problem['loc'][0]}: {problem['msg']}") from error


def _dry_run(settings: Settings, asked: DryRun, told: Callable[[StoredEvent], None]) -> RunStatus:
    catalog = build_catalog(settings)
    spec = _spec(catalog, asked)
    agents = {**catalog.agents, spec.name: spec}
    below = reachable(agents, spec)
    given = RunInput(
        run_id=f"run_{uuid4().hex}",
        agent=spec,
        agents=below,
        input=asked.message,
        metadata=dict(asked.metadata),
    )
    tools = {name: _harmless(tool) for name, tool in catalog.tools.items()}
    queues = {model_queue(it.model) for it in (spec, *below.values())}
    with AgentRunner([it for it in queues if it]) as runner:
        found = runner.servers(catalog)
        servers = _Harmless(found) if found else None
        secrets = tool_secrets(settings)
        setting = Setting(spec.name, tools, _RealModels(settings, agents), servers, secrets)
        bound_s = spec.limits.max_wall_s + BOUND_S
        return runner.begin(given, setting, told, bound_s=bound_s).status


def _spec(catalog: Catalog, asked: DryRun) -> AgentSpec:
    """The agent, with the request's model, settings and limits.

    Raises:
        CatalogError: there is no such agent, or its model can't take one of the settings.
        UnknownModelName: the model is none.
        ValidationError: a limit or a setting is out of range.
        UnusableSchema: no answer can be asked for by the schema.
    """
    spec = catalog.agents.get(asked.agent)
    if spec is None:
        known = ", ".join(sorted(catalog.agents))
        raise CatalogError(f"no agent {asked.agent!r}; there are: {known}")
    parse_model(model := asked.model or spec.model)
    limits = Limits.model_validate({**spec.limits.model_dump(), **asked.limits})
    settings = ModelSettings.model_validate({**spec.settings.model_dump(), **asked.settings})
    if misfit := misfit_of(settings, (model, *spec.fallbacks)):
        raise CatalogError(f"settings.{misfit.field}: {misfit.why}")
    changes: dict[str, object] = {"limits": limits, "model": model, "settings": settings}
    if asked.output_schema is not None:
        check_output_schema(asked.output_schema)
        changes["output_schema"] = asked.output_schema
    return spec.model_copy(update=changes)


class _Harmless:
    """MCP servers, of which no tool with unsafe effects is called."""

    def __init__(self, servers: McpTools) -> None:
        self._servers = servers
        self.listed, self.forget = servers.listed, servers.forget

    async def call(self, call: McpCall, context: ToolContext) -> str | McpQuestions:
        """As in `McpTools`."""
        unsafe = call.tool.spec.effects == "unsafe"
        return NOT_DONE if unsafe else await self._servers.call(call, context)


def _harmless(tool: Tool) -> Tool:
    """The tool, or one that does nothing in place of one with unsafe effects."""
    if tool.spec.effects == "safe":
        return tool
    return replace(tool, function=lambda **_: NOT_DONE, context_parameter=None)
