"""Loads the catalog: the built-in agent and tools, and those of a user's module."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType

from pydantic import ValidationError

from relayline.catalog.agents import ASSISTANT, ASSISTANT_INSTRUCTIONS, Agent, Catalog, CatalogError
from relayline.catalog.family import ask_tool, listed, problem_of
from relayline.catalog.foreign import described
from relayline.catalog.model_settings import misfit_of, unknown_in
from relayline.catalog.models import UnknownModelName, parse_model
from relayline.catalog.moved import advice
from relayline.catalog.schemas.output_schema import UnusableSchema, output_schema_of
from relayline.catalog.servers.mcp import McpServer
from relayline.catalog.servers.mcp import problem_of as mcp_problem
from relayline.catalog.templates import is_template
from relayline.catalog.tools import Tool
from relayline.contracts.runs import AgentSpec

_INSTALLED = ("site-packages", "dist-packages")
"""Names of the folders that packages are installed in."""


def load_catalog(module: str, builtin_tools: Sequence[Tool], default_model: str) -> Catalog:
    """Load the agent `assistant` with all built-in tools, and what the module declares.

    Args:
        module: The user's module, `package.module`; empty for none. The current directory is
            searched, too. A module that is only there finds its neighbours before whatever is
            installed under the same name; for an installed one the directory comes last.
        builtin_tools: Tools that every agent may name.
        default_model: The model of agents that name none.

    Raises:
        CatalogError: the module can't be imported, or a declaration in it can't be used.
    """
    declared = tuple(vars(_import(module)).values()) if module else ()
    return catalog_of(module, declared, builtin_tools, default_model)


def catalog_of(
    where: str, declared: Iterable[object], builtin_tools: Sequence[Tool], default_model: str
) -> Catalog:
    """The catalog of these declarations, with the agent `assistant`.

    Args:
        where: Where they stand, for errors.
        declared: Agents and tools; whatever else there is does not matter.
        builtin_tools: As for `load_catalog`.
        default_model: The model of agents that name none.

    Raises:
        CatalogError: a declaration can't be used.
    """
    declared = tuple(declared)
    tools = _by_name("the built-in tools", builtin_tools)
    assistant = Agent(ASSISTANT, ASSISTANT_INSTRUCTIONS, tools=tuple(builtin_tools))
    agents = {ASSISTANT: _resolve("the built-in agents", assistant, tools, default_model, {})}
    own = _distinct(listed([thing for thing in declared if isinstance(thing, Agent)]))
    tools = _by_name(where, [*builtin_tools, *_tools(declared, own)])
    servers = _servers(where, own)
    told = {agent.name: agent.description for agent in own}
    for agent in own:
        if agent.name in agents:
            raise CatalogError(f"{where}: agent {agent.name!r} is declared twice: rename one")
        agents[agent.name] = _resolve(where, agent, tools, default_model, told)
    if problem := problem_of(agents):
        raise CatalogError(f"{where}: {problem}")
    return Catalog(MappingProxyType(agents), MappingProxyType(tools), MappingProxyType(servers))


def _import(module: str) -> ModuleType:
    """Import the user's module.

    Raises:
        CatalogError: it is missing, or importing it raised.
    """
    here = str(Path.cwd())
    importlib.invalidate_caches()
    try:
        if here not in sys.path:
            sys.path.insert(_place(module), here)
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and f"{module}.".startswith(f"{error.name}."):
            raise CatalogError(
                f"no module {module!r}: set RELAYLINE_CATALOG to a module that can be imported "
                f"from {here} or is installed, e.g. package.module"
            ) from error
        remedy = advice(error.name) or "install what it needs"
        raise CatalogError(f"{module} can't be imported: {error}; {remedy}") from error
    except KeyboardInterrupt:  # of a person at the keyboard, most likely
        raise
    except BaseException as error:  # a user's module may raise anything
        raise CatalogError(
            f"{module} can't be imported: {described(error)}; `python -m {module}` shows where"
        ) from error


def _place(module: str) -> int:
    """Where in `sys.path` the current directory belongs, so that the module's imports are its own.

    Before what is installed if the module can only be there; the standard library stays first.
    After it otherwise: agents may write files there, and must not replace a package of ours.
    """
    if importlib.util.find_spec(module.partition(".")[0]):
        return len(sys.path)
    installed = [place for place, entry in enumerate(sys.path) if Path(entry).name in _INSTALLED]
    return min(installed, default=len(sys.path))


def _tools(declared: Iterable[object], agents: Iterable[Agent]) -> list[Tool]:
    """The tools at the top level of the module, and those that only an agent lists."""
    things = [*declared, *(thing for agent in agents for thing in agent.tools)]
    return [thing for thing in things if isinstance(thing, Tool)]


def _by_name(where: str, tools: Iterable[Tool]) -> dict[str, Tool]:
    """Map each name to its tool; a tool may appear several times, a name for two tools may not.

    Raises:
        CatalogError: two tools have the same name.
    """
    named: dict[str, Tool] = {}
    for tool in tools:
        if named.setdefault(tool.spec.name, tool) is not tool:
            raise CatalogError(
                f"{where}: tool {tool.spec.name!r} is declared twice, or is a built-in tool: "
                'rename it with @tool(name="…")'
            )
    return named


def _servers(where: str, agents: Iterable[Agent]) -> dict[str, McpServer]:
    """Map each name to its MCP server.

    Raises:
        CatalogError: one can't be used, or two have the same name.
    """
    named: dict[str, McpServer] = {}
    for server in (server for agent in agents for server in agent.mcp):
        if problem := mcp_problem(server):
            raise CatalogError(f"{where}: {problem}")
        if named.setdefault(server.name, server) is not server:
            raise CatalogError(f"{where}: two MCP servers have the name {server.name!r}")
    return named


def _distinct(agents: Iterable[Agent]) -> list[Agent]:
    """Each agent once, even if the module has several names for it."""
    return list({id(agent): agent for agent in agents}.values())


def _resolve(
    where: str,
    agent: Agent,
    tools: Mapping[str, Tool],
    default_model: str,
    told: Mapping[str, str],
) -> AgentSpec:
    """Turn the agent into data: look up its tools, check the name of its model.

    Args:
        where: The module that declares it, for errors.
        agent: The agent.
        tools: All tools, by name.
        default_model: The model of agents that name none.
        told: What agents can do, by name.

    Raises:
        CatalogError: a tool or model is unknown, or a field is invalid.
    """
    label = f"{where}: agent {agent.name!r}"
    model = default_model if agent.model is None else agent.model
    specs = tuple(_lookup(label, tool, tools).spec for tool in agent.tools)
    asked = [it if isinstance(it, str) else it.name for it in agent.agents]
    try:
        specs += tuple(ask_tool(name, told.get(name, "")) for name in asked)
        if len({spec.name for spec in specs}) < len(specs):
            raise CatalogError(f"{label}: a tool is listed twice: {[spec.name for spec in specs]}")
        parse_model(model)
        spec = AgentSpec(
            name=agent.name,
            instructions=agent.instructions,
            template=_is_template(label, agent.instructions),
            model=model,
            tools=specs,
            mcp=tuple(dict.fromkeys(server.name for server in agent.mcp)),
            limits=agent.limits,
            compaction=agent.compaction,
            retention_days=agent.retention_days,
            think_tags=agent.think_tags,
            output_schema=None if agent.output is None else output_schema_of(agent.output),
            settings=agent.settings,
            fallbacks=tuple(agent.fallbacks),
            models=None if agent.models is None else tuple(agent.models),
        )
    except UnusableSchema as error:
        raise CatalogError(f"{label}: output: {error}") from error
    except UnknownModelName as error:
        source = " (RELAYLINE_MODEL)" if agent.model is None else ""
        raise CatalogError(f"{label}: {error}{source}") from error
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        raise CatalogError(f"{label}: {field}: {problem['msg']}") from error
    _check_models(label, spec)
    return spec


def _check_models(label: str, spec: AgentSpec) -> None:
    """Return if each model that the agent may use is known and takes the agent's settings.

    Raises:
        CatalogError: one is not, or does not.
    """
    for field, names in (("fallbacks", (spec.model, *spec.fallbacks)), ("models", spec.models)):
        if problem := unknown_in(names or ()):
            raise CatalogError(f"{label}: {field}: {problem}")
    if misfit := misfit_of(spec.settings, spec.candidates):
        raise CatalogError(f"{label}: settings.{misfit.field}: {misfit.why}")


def _is_template(label: str, instructions: str) -> bool:
    """Whether the instructions have names in them.

    Raises:
        CatalogError: one is unknown.
    """
    try:
        return is_template(instructions)
    except ValueError as error:
        raise CatalogError(f"{label}: instructions: {error}") from error


def _lookup(label: str, wanted: object, tools: Mapping[str, Tool]) -> Tool:
    """Find the tool that an agent lists, itself or by name.

    Raises:
        CatalogError: it is neither a tool nor the name of one.
    """
    if isinstance(wanted, Tool):
        return wanted
    if isinstance(wanted, str):
        if wanted in tools:
            return tools[wanted]
        raise CatalogError(
            f"{label}: unknown tool {wanted!r}; known tools: {', '.join(sorted(tools))}"
        )
    raise CatalogError(f"{label}: {wanted!r} is not a tool: put @tool above the function")
