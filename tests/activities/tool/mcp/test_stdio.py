"""A real server on stdin and stdout that does what well-behaved ones do not."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

import pytest

from relayline.activities.tool.mcp.port import McpFailure, OutcomeUnknown
from relayline.catalog.servers.mcp import Env, McpServer, Override
from relayline.contracts.errors import ErrorType
from tests.activities.tool.mcp.conftest import SLOW_S, Opened, Told, eventually, odd, words
from tests.activities.tool.mcp.processes import alive, forget_peak, memory, ours


async def test_a_server_is_listed_called_cancelled_and_closed(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path))
    listing = await wing.pin()
    assert [tool.spec.name for tool in listing.tools][:2] == ["odd_count", "odd_flood"]
    assert not listing.missing
    assert not listing.left_out
    told = Told()
    assert await wing.call("count", {"to": 3}, told) == "counted to 3"
    assert told.lines == [("1/3", 1 / 3), ("2/3", 2 / 3), ("3/3", 1.0)]
    call = asyncio.create_task(wing.call("wait", {"seconds": 600}))
    await eventually(lambda: words(tmp_path, "waiting") == 1)
    call.cancel()
    await asyncio.wait({call})
    assert call.cancelled()
    assert wing.last
    assert not wing.last.stopped.is_set(), "the server was told, and lives"
    await eventually(lambda: words(tmp_path, "cancelled") == 1)
    assert await wing.call("lie") == "nothing was written"
    assert words(tmp_path, "starts") == 1
    state = wing.servers.state("odd")
    assert (state.era, state.version, state.last_error) == ("modern", "odd 1.2", "")
    [pid] = map(int, (tmp_path / "starts").read_text().split())
    await wing.servers.close()
    assert not alive(pid)


@pytest.mark.slow
async def test_a_server_that_dies_in_a_call_is_started_again(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path))
    await wing.pin()
    with pytest.raises(OutcomeUnknown, match="exit code 3; die may or may not have run") as unsafe:
        await wing.call("die")
    assert not unsafe.value.retryable
    assert unsafe.value.kind == ErrorType.OUTCOME_UNKNOWN
    assert words(tmp_path, "effects") == 1
    with pytest.raises(McpFailure, match="exit code 3") as safe:
        await wing.call("die_once")
    assert safe.value.retryable
    assert safe.value.kind == ErrorType.TOOL_FAILED
    assert await wing.call("die_once") == "lives"
    assert words(tmp_path, "starts") == 3


@pytest.mark.slow
async def test_calls_share_a_server_and_only_the_end_of_the_server_ends_them(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path))
    await wing.pin()
    waiting = asyncio.create_task(wing.call("wait", {"seconds": 600}, Told("run_2")))
    await eventually(lambda: words(tmp_path, "waiting") == 1)
    assert await asyncio.gather(*(wing.call("count", {"to": 1}) for _ in range(8)))
    assert not waiting.done()
    with pytest.raises(OutcomeUnknown):
        await wing.call("die")
    with pytest.raises(McpFailure, match="exit code 3") as lost:
        await waiting
    assert lost.value.retryable, "it must not read as a cancel of the call"


@pytest.mark.slow
async def test_a_huge_answer_ends_the_connection_and_not_the_worker(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path))
    await wing.pin()
    assert len(await wing.call("large", {"megabytes": 3})) == 3 * 1024 * 1024
    forget_peak()
    before = memory()
    with pytest.raises(McpFailure, match="a line of more than 8388608 bytes") as failed:
        await wing.call("large", {"megabytes": 100})
    assert failed.value.retryable
    assert memory() - before < 64 * 1024 * 1024
    assert await wing.call("count", {"to": 1}) == "counted to 1"


@pytest.mark.slow
async def test_a_flood_of_progress_holds_up_nothing(opened: Opened, tmp_path: Path) -> None:
    wing = await opened(odd(tmp_path))
    await wing.pin()
    late_s = 0.0

    async def beat() -> None:
        nonlocal late_s
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.05)
            late_s = max(late_s, time.monotonic() - began)

    beating = asyncio.create_task(beat())
    told = Told()
    assert await wing.call("flood", {"lines": 3000}, told) == "flooded"
    beating.cancel()
    assert len(told.lines) > 1000
    assert late_s < 5


@pytest.mark.slow
async def test_a_tool_that_changed_is_not_called(opened: Opened, tmp_path: Path) -> None:
    wing = await opened(odd(tmp_path))
    await wing.pin()
    assert await wing.call("shape", {"side": 1}) == "1"
    pinned = wing.tools
    await wing.call("grow")

    async def refusal() -> McpFailure | None:
        try:
            await wing.call("shape", {"side": 1})
        except McpFailure as failure:
            return failure
        return None

    async with asyncio.timeout(SLOW_S):
        while (refused := await refusal()) is None:
            await asyncio.sleep(0.05)
    assert refused.kind == ErrorType.TOOL_CHANGED
    assert not refused.retryable
    assert "now defines it differently" in str(refused)
    done = words(tmp_path, "effects")
    assert await refusal()
    assert words(tmp_path, "effects") == done
    assert await wing.call("count", {"to": 1}), "the others have not changed"
    await wing.pin("run_2")
    assert "shape_two" in wing.tools
    assert await wing.call("shape", {"side": 1, "colour": "red"}) == "1 red"
    wing.tools = pinned | {"gone": pinned["shape"].model_copy(update={"tool": "gone"})}
    with pytest.raises(McpFailure, match="no longer offers it"):
        await wing.call("gone", {"side": 1})


@pytest.mark.slow
async def test_a_process_of_a_calls_own_ends_with_its_cancel(
    opened: Opened, tmp_path: Path
) -> None:
    wing = await opened(odd(tmp_path, shared=False))
    await wing.pin()
    assert await wing.call("lie")
    assert words(tmp_path, "starts") == 2
    call = asyncio.create_task(wing.call("wait", {"seconds": 600}))
    await eventually(lambda: words(tmp_path, "waiting") == 1)
    pid = int((tmp_path / "waiting").read_text())
    assert alive(pid)
    call.cancel()
    await asyncio.wait({call})
    assert call.cancelled()
    assert not alive(pid)
    assert wing.last
    assert wing.last.stopped.is_set()


@pytest.mark.slow
async def test_the_limit_of_a_call_is_told_to_the_server(opened: Opened, tmp_path: Path) -> None:
    overrides = {"wait": Override(timeout_s=2)}
    wing = await opened(odd(tmp_path, overrides=overrides))
    await wing.pin()
    assert await wing.call("lie"), "connected"
    began = time.monotonic()
    with pytest.raises(McpFailure, match="did not answer in time") as late:
        await wing.call("wait", {"seconds": 600})
    assert late.value.retryable
    assert late.value.kind == ErrorType.TOOL_TIMED_OUT
    assert time.monotonic() - began < 60
    await eventually(lambda: words(tmp_path, "cancelled") == 1)


@pytest.mark.slow
async def test_an_unsafe_call_that_is_late_has_an_unknown_outcome(
    opened: Opened, tmp_path: Path
) -> None:
    overrides = {"wait": Override(timeout_s=1.5, effects="unsafe")}
    wing = await opened(odd(tmp_path, overrides=overrides))
    await wing.pin()
    await wing.call("lie")
    with pytest.raises(OutcomeUnknown, match="did not answer in time; wait may or may not"):
        await wing.call("wait", {"seconds": 600})


@pytest.mark.slow
async def test_a_server_is_told_of_the_run_and_given_its_environment_alone(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-provider")
    env = {"ODD_SECRET": Env("THEIRS")}
    given = {"THEIRS": "their-own-secret"}
    wing = await opened(odd(tmp_path, env=env, metadata=("order",)), environ=given)
    await wing.pin()
    about = {"turn": 2, "metadata": {"order": 7, "private": 8}}
    said = await wing.call("told", about=about)
    assert "'relayline/call': 'run_1/key'" in said
    for part in ("'turn': 2", "'run_id': 'run_1'", "'tenant': 'acme'", "{'order': 7}"):
        assert part in said
    assert "private" not in said
    variables = await wing.call("environment")
    assert "OPENAI_API_KEY" not in variables
    assert "ODD_SECRET" in variables
    assert "their-own-secret" not in variables, "it must not come back"


@pytest.mark.slow
async def test_an_untrusted_server_is_told_nothing_of_whom(opened: Opened, tmp_path: Path) -> None:
    wing = await opened(odd(tmp_path, trusted=False))
    listing = await wing.pin()
    assert {tool.spec.effects for tool in listing.tools} == {"unsafe"}
    assert {tool.spec.approval for tool in listing.tools} == {"always"}
    assert await wing.call("told") == "{'relayline/call': 'run_1/key'}"


async def test_a_mute_process_is_given_up(opened: Opened) -> None:
    sleeper = (sys.executable, "-c", "import time; time.sleep(600)")
    mute = McpServer("mute", command=sleeper, connect_s=1)
    wing = await opened(mute)
    with pytest.raises(McpFailure, match=r"'mute' can't be reached|did not list") as failed:
        await wing.pin()
    assert failed.value.retryable
    assert not ours(sleeper[-1])


async def test_only_a_server_that_is_not_optional_fails_the_list(opened: Opened) -> None:
    none = McpServer("none", command=("there-is-no-such-program",))
    off = McpServer("off", command=(sys.executable, "-c", "exit(7)"), optional=True)
    wing = await opened(none, off)
    with pytest.raises(McpFailure, match="its program is not in the PATH"):
        await wing.pin()
    wing.names = ["off"]
    listing = await wing.pin()
    assert not listing.tools
    [missing] = listing.missing
    assert missing.server == "off"
    assert "it ended with exit code 7" in missing.reason


async def test_a_missing_variable_is_named_and_an_unknown_server_told(opened: Opened) -> None:
    env = {"TOKEN": Env("NOT_SET")}
    wing = await opened(McpServer("git", command=(sys.executable,), env=env))
    with pytest.raises(McpFailure, match="no environment variable NOT_SET"):
        await wing.pin()
    wing.names = ["other"]
    with pytest.raises(McpFailure, match="catalog has no MCP server 'other'") as unknown:
        await wing.pin()
    assert not unknown.value.retryable
