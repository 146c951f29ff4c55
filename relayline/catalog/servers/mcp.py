"""MCP servers, as a user's module declares them: by value, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from relayline.contracts.mcp import Override
from relayline.contracts.runs import ToolSpec

__all__ = ["Env", "McpServer", "Override", "offered", "problem_of"]

MAX_SERVER_NAME_CHARS = 32
CONNECT_S = 10.0
CALL_S = 60.0
_NAME = re.compile(rf"[a-zA-Z][a-zA-Z0-9_-]{{0,{MAX_SERVER_NAME_CHARS - 1}}}")


class Env(NamedTuple):
    """The value of an environment variable of the worker, which reads it when it connects.

    The value never reaches a run, the journal, Temporal or the API.
    """

    variable: str


@dataclass(frozen=True)
class McpServer:
    """An MCP server whose tools agents may have; `Agent(mcp=[…])`.

    Only its name reaches a run. A misfit is a `CatalogError` when the module is loaded.
    """

    name: str
    """1 to 32 letters, digits, `_` or `-`, first a letter; tools are told as `{name}_{tool}`."""
    command: Sequence[str] = field(default=(), repr=False)
    """Program and arguments of a server on stdin and stdout; or give `url`."""
    url: str = field(default="", repr=False)
    """Endpoint of a server that speaks streamable HTTP."""
    env: Mapping[str, str | Env] = field(default_factory=dict, repr=False)
    """Variables of the command's process, which else has HOME, LOGNAME, PATH, SHELL, TERM, USER."""
    cwd: str | None = field(default=None, repr=False)
    """The command's working directory; None: the worker's."""
    headers: Mapping[str, str | Env] = field(default_factory=dict, repr=False)
    """Headers of each request to `url`."""
    tools: Sequence[str] = ("*",)
    """Names of the tools to offer, or patterns with `*`, `?` and `[…]`; else they are left out."""
    trusted: bool = False
    """True: hints by which a tool is harmless are believed; else each call needs an approval."""
    optional: bool = False
    """True: a run goes on without this server if it can't be listed."""
    shared: bool = True
    """False: each call has a process of its own (0.5 to 3 s more), so that a cancel ends it."""
    timeout_s: float = CALL_S
    """The limit of one attempt of a call, in seconds."""
    connect_s: float = CONNECT_S
    """The limit for connecting and for listing, in seconds."""
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """What the user says of single tools, by the name that the server knows."""
    pins: str | None = None
    """Path of a lock file: only tools whose definition it accepts are offered."""
    metadata: Sequence[str] = ()
    """Keys of a run's metadata that the server is told."""


def offered(server: McpServer, tool: str) -> bool:
    """True if the user wants this tool of the server."""
    return any(fnmatchcase(tool, pattern) for pattern in server.tools)


def problem_of(server: object) -> str | None:
    """Why this can't be used as an MCP server, naming it and the remedy; None if it can."""
    if not isinstance(server, McpServer):
        return f"{server!r} is not an McpServer"
    problem = next(_problems(server), None)
    return f"MCP server {server.name!r}: {problem}" if problem else None


def _problems(server: McpServer) -> Iterator[str]:
    if not _NAME.fullmatch(server.name):
        yield f"name: 1 to {MAX_SERVER_NAME_CHARS} of a-z A-Z 0-9 _ -, first a letter"
    if bool(server.command) == bool(server.url):
        yield "give either command or url"
    if isinstance(server.command, str) or not all(isinstance(it, str) for it in server.command):
        yield 'command: a sequence of texts, as ("program", "argument")'
    yield from _place_problems(server)
    if isinstance(server.tools, str):
        yield 'tools: a sequence of names or patterns, as ("search", "read*")'
    if not 0 < server.connect_s <= 600:
        yield "connect_s: must be above 0 and at most 600"
    yield from _tool_problems(server)


def _place_problems(server: McpServer) -> Iterator[str]:
    """What does not fit together with `command` or with `url`."""
    if server.url and (server.env or server.cwd):
        yield "env and cwd are for a command; a url has headers"
    if server.command and server.headers:
        yield "headers are for a url; a command has env"
    if server.url and not server.shared:
        yield "shared=False is for a command"
    if server.url and not _endpoint(server.url):
        yield "url: must be http:// or https:// with a host, without user and password"
    for name, value in (*server.env.items(), *server.headers.items()):
        if not isinstance(value, str | Env):
            yield f"{name}: must be a text or Env(…)"


def _endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
        )
    except ValueError:
        return False


def _tool_problems(server: McpServer) -> Iterator[str]:
    """What no tool's spec may have."""
    if found := _misfit({"timeout_s": server.timeout_s}):
        yield found
    for name, override in server.overrides.items():
        given = {field.name: getattr(override, field.name) for field in fields(Override)}
        if found := _misfit({key: value for key, value in given.items() if value is not None}):
            yield f"override of {name!r}: {found}"


def _misfit(given: dict[str, object]) -> str | None:
    try:
        ToolSpec.model_validate({"name": "any", **given})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return None
