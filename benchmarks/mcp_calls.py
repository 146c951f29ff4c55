"""What tools of MCP servers cost: a call, the start of a run, and its history.

A call over a kept connection beside one over an open client of the SDK, by turns, to two servers
that are alike. Runs of an agent with 51 tools of six servers beside those of one without, by turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mcp import Client, StdioServerParameters
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.alone import stack_of
from benchmarks.family import events_of, first_word_ms, submitted
from benchmarks.history import kinds
from benchmarks.mcp_agents import MODULE, TOOLS, desk
from benchmarks.measure import Figure, p50
from benchmarks.stack import ROOT, Stack, process
from relayline.activities.tool.elsewhere import CallElsewhere
from relayline.activities.tool.mcp.port import McpCall
from relayline.activities.tool.mcp.servers import McpServers
from relayline.catalog.servers.mcp import McpServer
from relayline.dev.ports import free_port

BENCH = "mcp"
CALL_GOAL = 1.5
"""Times a call over a bare client."""
START_GOAL_MS = 50
"""So much later may a run with MCP servers say its first word."""
SIZE_GOAL_KB = 3
_CALLS, _QUICK_CALLS = 400, 40
_RUNS, _QUICK_RUNS = 40, 5
_STEPS = 10
_TOOL = "look_up_1"
_QUERY = {"query": "42"}
_WORD = {"rehearse": [{"say": "word"}]}
_UP_S = 60
_CALL = {"call": f"desk1_{_TOOL}", "arguments": _QUERY}
_BARE_CALL = {"call": "calculate", "arguments": {"expression": "6*7"}}


class Sizes(NamedTuple):
    """Bytes of history, of events as Temporal stores them."""

    step: float
    """Of a model step."""
    call: float
    """Of a tool call."""


async def measure(*, quick: bool, postgres: bool) -> list[Figure]:
    """Calls over both transports, then runs on a stack."""
    calls, runs = (_QUICK_CALLS, _QUICK_RUNS) if quick else (_CALLS, _RUNS)
    figures = []
    with TemporaryDirectory(prefix="relayline-bench-") as folder:
        ours, bare = await _over_stdio(calls)
        figures.append(call_figure("stdio", ours, bare))
        ours, bare = await _over_http(calls, Path(folder))
        figures.append(call_figure("streamable HTTP", ours, bare))
        env = {"RELAYLINE_CATALOG": MODULE}
        async with stack_of(Path(folder) / "stack", env=env, postgres=postgres) as stack:
            figures.append(start_figure(*await _starts(stack, runs)))
            with_servers = await _sizes(stack, "served", _CALL)
            figures += size_figures(with_servers, await _sizes(stack, "plain", _BARE_CALL))
    return figures


def call_figure(transport: str, ours: Sequence[float], bare: Sequence[float]) -> Figure:
    """The medians of calls, in milliseconds."""
    floor = p50(bare)
    return Figure(
        bench=BENCH,
        name=f"a call over {transport}, p50",
        unit="ms",
        ours=p50(ours),
        floor=floor,
        against="a call over an open client of the SDK",
        limit=CALL_GOAL * floor,
        rule=f"{CALL_GOAL:g} times the floor",
    )


def start_figure(served: Sequence[float], plain: Sequence[float]) -> Figure:
    """The medians of starts, in milliseconds."""
    floor = p50(plain)
    return Figure(
        bench=BENCH,
        name=f"from a submission to the first word, {len(TOOLS)} servers, p50",
        unit="ms",
        ours=p50(served),
        floor=floor,
        against="an agent without MCP servers",
        limit=floor + START_GOAL_MS,
        rule=f"{START_GOAL_MS} ms after the floor",
    )


def size_figures(served: Sizes, plain: Sizes) -> list[Figure]:
    """What a step and a call take of Temporal's history."""

    def figure(name: str, ours: float, floor: float) -> Figure:
        return Figure(
            bench=BENCH,
            name=f"history of {name}, {sum(TOOLS)} tools",
            unit="KB",
            ours=ours / 1000,
            floor=floor / 1000,
            against="an agent with one tool of its own",
            limit=SIZE_GOAL_KB,
            rule=f"{SIZE_GOAL_KB}",
        )

    return [
        figure("a model step", served.step, plain.step),
        figure("a tool call", served.call, plain.call),
    ]


async def _over_stdio(count: int) -> tuple[list[float], list[float]]:
    server = desk("desk", TOOLS[0])
    [program, *arguments] = server.command
    parameters = StdioServerParameters(command=program, args=arguments, cwd=str(ROOT))
    async with Client(parameters) as client:
        return await _by_turns(server, client, count)


async def _over_http(count: int, folder: Path) -> tuple[list[float], list[float]]:
    async with _served(folder / "one.log") as ours, _served(folder / "two.log") as bare:
        server = McpServer("desk", url=ours, trusted=True)
        async with Client(bare) as client:
            return await _by_turns(server, client, count)


@asynccontextmanager
async def _served(log: Path) -> AsyncIterator[str]:
    """A server behind a URL, until the block ends."""
    port = free_port()
    command = (sys.executable, "-m", "benchmarks.mcp_desk", str(TOOLS[0]), str(port))
    async with process(*command, log=log):
        async with asyncio.timeout(_UP_S):
            while not await _listens(port):
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _by_turns(
    server: McpServer, client: Client, count: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of each of our calls, and of each of the client's."""
    servers = McpServers({server.name: server}, {})
    about = {"run_id": "run_1", "call_id": "call_1_0", "tenant": "bench"}
    context = CallElsewhere(about, "key")
    try:
        listing = await servers.listed([server.name], "run_1")
        call = McpCall(next(it for it in listing.tools if it.tool == _TOOL), _QUERY)
        await client.list_tools()
        ours: list[float] = []
        bare: list[float] = []
        for turn in range(count):
            pair = [
                (ours, lambda: servers.call(call, context)),
                (bare, lambda: client.call_tool(_TOOL, _QUERY)),
            ]
            for taken, one in pair if turn % 2 else reversed(pair):
                taken.append(await _ms(one))
    finally:
        await servers.close()
    return ours, bare


async def _ms(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000


async def _starts(stack: Stack, count: int) -> tuple[list[float], list[float]]:
    """From submissions to first words, with MCP servers and without; by turns, all warm."""
    taken: dict[str, list[float]] = {"served": [], "plain": []}
    for turn in range(count + 1):
        for agent, times in taken.items():
            events = await events_of(stack, await submitted(stack, agent, _WORD))
            if turn:  # the first run starts the servers
                times.append(first_word_ms(events))
    return taken["served"], taken["plain"]


async def _sizes(stack: Stack, agent: str, call: Mapping[str, object]) -> Sizes:
    """Of a run of some steps, each with a call; the medians without the first ones."""
    script = {"rehearse": [*[call] * _STEPS, {"say": "done"}]}
    run_id = await submitted(stack, agent, script)
    events = await events_of(stack, run_id)
    assert sum(it["type"] == "tool.completed" for it in events) == _STEPS, json.dumps(events[-3:])
    handle = stack.temporal.get_workflow_handle(run_id)
    await handle.result()
    costs = bytes_per_activity((await handle.fetch_history()).events)
    return Sizes(*(p50(costs[name][1:]) for name in ("call_model", "call_tool")))


def bytes_per_activity(history: Sequence[HistoryEvent]) -> dict[str, list[int]]:
    """Bytes of history that each activity took, by its type; what comes before it counts in."""
    costs: dict[str, list[int]] = {}
    since = 0
    for event, (kind, activity) in zip(history, kinds(history), strict=True):
        since += event.ByteSize()
        if kind == "completed":
            costs.setdefault(activity, []).append(since)
            since = 0
    return costs
