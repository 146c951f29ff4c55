"""MCP servers in a user's module."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from relayline import Agent, Env, McpServer, Override
from relayline.catalog.agents import Catalog, CatalogError
from relayline.catalog.load import load_catalog
from relayline.catalog.servers.mcp import offered, problem_of
from relayline.contracts.runs import AgentSpec

MODULE = """
from relayline import Agent, Env, McpServer, Override
git = McpServer("git", command=("mcp-server-git", "--secret-path"), env={"TOKEN": Env("GIT_TOKEN")})
docs = McpServer("docs", url="https://mcp.example/mcp", headers={"Authorization": "Bearer hidden"},
                 tools=("search", "read*"), trusted=True, timeout_s=60,
                 overrides={"publish": Override(approval="always")})
clerk = Agent(name="clerk", mcp=[git, docs, git])
plain = Agent(name="plain")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before


def loaded(folder: Path, source: str) -> Catalog:
    name = f"module{uuid4().hex}"
    (folder / f"{name}.py").write_text(source)
    return load_catalog(name, [], "rehearsal")


def test_names_alone_of_servers_reach_an_agents_spec(folder: Path) -> None:
    catalog = loaded(folder, MODULE)
    clerk = catalog.agents["clerk"]
    assert clerk.mcp == ("git", "docs")
    assert sorted(catalog.mcp) == ["docs", "git"]
    said = clerk.model_dump_json() + repr(catalog.mcp)
    for hidden in ("mcp-server-git", "--secret-path", "GIT_TOKEN", "mcp.example", "Bearer"):
        assert hidden not in said


def test_the_spec_of_an_agent_without_servers_is_what_it_was(folder: Path) -> None:
    plain = loaded(folder, MODULE).agents["plain"]
    assert "mcp" not in plain.model_dump()
    assert AgentSpec.model_validate_json(plain.model_dump_json()) == plain


def test_two_servers_of_one_name_are_an_error(folder: Path) -> None:
    source = MODULE + 'other = Agent(name="other", mcp=[McpServer("git", command=("x",))])\n'
    with pytest.raises(CatalogError, match="two MCP servers have the name 'git'"):
        loaded(folder, source)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"name": "2git", "command": ("x",)}, "name: 1 to 32"),
        ({"name": "g" * 33, "command": ("x",)}, "name: 1 to 32"),
        ({}, "either command or url"),
        ({"command": ("x",), "url": "http://a"}, "either command or url"),
        ({"command": "mcp-server-git ."}, "command: a sequence"),
        ({"command": ("x", 1)}, "command: a sequence"),
        ({"url": "ftp://a"}, "url: must be http"),
        ({"url": "https://user:word@a/mcp"}, "url: must be http"),
        ({"url": "https://[a/mcp"}, "url: must be http"),
        ({"url": "http://a", "env": {"A": "b"}}, "env and cwd are for a command"),
        ({"url": "http://a", "shared": False}, "shared=False"),
        ({"command": ("x",), "headers": {"A": "b"}}, "headers are for a url"),
        ({"command": ("x",), "env": {"A": 1}}, "A: must be a text or Env"),
        ({"command": ("x",), "tools": "read"}, "tools: a sequence"),
        ({"command": ("x",), "connect_s": 0}, "connect_s"),
        ({"command": ("x",), "timeout_s": -1}, "timeout_s"),
        ({"command": ("x",), "timeout_s": 0}, "timeout_s"),
        ({"command": ("x",), "overrides": {"a": Override(timeout_s=0)}}, "'a': timeout_s"),
        ({"command": ("x",), "overrides": {"a": Override(retries=21)}}, "'a': retries"),
        ({"command": ("x",), "overrides": {"a": Override(retries=-1)}}, "'a': retries"),
        ({"command": ("x",), "overrides": {"a": Override(effects="odd")}}, "'a': effects"),  # type: ignore[arg-type]
        ({"command": ("x",), "overrides": {"a": Override(approval="odd")}}, "'a': approval"),  # type: ignore[arg-type]
    ],
    ids=str,
)
def test_a_misfit_names_the_server_and_the_field(given: dict[str, Any], problem: str) -> None:
    found = problem_of(McpServer(**{"name": "git", **given}))
    assert found
    assert found.startswith("MCP server ")
    assert problem in found


def test_a_misfit_is_an_error_of_the_catalog(folder: Path) -> None:
    source = 'from relayline import Agent, McpServer\na = Agent(name="a", mcp=[McpServer("g")])\n'
    with pytest.raises(CatalogError, match="MCP server 'g': give either command or url"):
        loaded(folder, source)
    with pytest.raises(CatalogError, match="'git' is not an McpServer"):
        loaded(folder, 'from relayline import Agent\na = Agent(name="a", mcp=["git"])\n')


def test_what_is_right_is_no_problem() -> None:
    assert problem_of(McpServer("git", command=("x",), cwd="/", env={"A": Env("B")})) is None
    assert problem_of(McpServer("docs", url="http://127.0.0.1:1/mcp", headers={"A": "b"})) is None
    assert Agent(name="a").mcp == ()


def test_tools_are_offered_by_name_or_pattern() -> None:
    server = McpServer("docs", url="http://a", tools=("search", "read*"))
    assert [offered(server, name) for name in ("search", "read", "read_all")] == [True] * 3
    assert not offered(server, "Search")
    assert not offered(server, "write")
    assert offered(McpServer("docs", url="http://a"), "anything")
