"""The command line as people use it: real processes against a server that speaks the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.client.stand_in import RUN, Refuse, Send, StandIn
from tests.histories.record import FOLDER

RELAYLINE = str(Path(sys.executable).with_name("relayline"))
HISTORY = FOLDER / "happy_path.json"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


async def start(
    *words: str, out: int = asyncio.subprocess.PIPE, env: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    given = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    pipe = asyncio.subprocess.PIPE
    given |= {"TERM": "xterm", "COLUMNS": "80", "RELAYLINE_DATA_DIR": "/proc/none"} | (env or {})
    return await asyncio.create_subprocess_exec(
        RELAYLINE, *words, stdin=pipe, stdout=out, stderr=pipe, env=given, cwd="/"
    )


async def relayline(*words: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ended:
    process = await start(*words, env=env)
    out, err = await asyncio.wait_for(process.communicate(stdin), 60)
    return Ended(process.returncode or 0, out.decode(), err.decode())


def whole(stand_in: StandIn, end: str = "run.completed") -> None:
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    stand_in.add("step.started", 1, model="rehearsal")
    stand_in.add("message.delta", 1, 1, text="forty-")
    stand_in.add("message.delta", 1, 1, text="two")
    stand_in.add("message.completed", 1, 1, text="forty-two", finish_reason="stop")
    stand_in.add(end, 1)


async def test_help_is_quick_and_names_every_command() -> None:
    used_s = []
    for _ in range(3):
        before = os.times()
        ended = await relayline("--help")
        after = os.times()
        used_s.append(
            after.children_user
            - before.children_user
            + after.children_system
            - before.children_system
        )
    assert min(used_s) < 0.4, "seconds of CPU; a busy machine may slow some of them down"
    steering = ["pause", "resume", "redirect", "cancel", "approve", "deny", "answer"]
    looking = ["watch", "batch", "schedule", "webhook", "listen", "export", "replay"]
    for name in [
        "dev",
        "worker",
        "api",
        "migrate",
        "run",
        *steering,
        "erase",
        *looking,
        "deploy",
        "doctor",
        "mcp",
        "keyring",
        "codec-server",
    ]:
        assert f"\n  {name} " in ended.out
    assert ended.code == 0


async def test_the_version_is_that_of_the_package() -> None:
    ended = await relayline("--version")
    assert (ended.code, ended.out) == (0, f"relayline {version('relayline')}\n")


async def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, relayline.cli;"
        "sys.exit(len({'httpx','temporalio','fastapi','pydantic','rich'} & {*sys.modules}))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_run_prints_the_id_and_nothing_else_on_stdout(stand_in: StandIn) -> None:
    ended = await relayline("run", "what is 6*7?", "--url", stand_in.url)
    assert (ended.code, ended.out) == (0, RUN + "\n")
    assert f"relayline watch {RUN}" in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("words", [("run", "hi"), ("run", "hi", "--watch"), ("watch", RUN)])
async def test_the_terminal_leads_to_the_page(stand_in: StandIn, words: tuple[str, ...]) -> None:
    whole(stand_in)
    stand_in.page = f"/runs/{RUN}"
    ended = await relayline(*words, "--url", f"{stand_in.url}/")
    assert f"in a browser: {stand_in.url}/runs/{RUN}\n" in ended.err
    assert "in a browser" not in (await relayline(*words, "--json", "--url", stand_in.url)).err


async def test_run_sends_what_its_options_say(stand_in: StandIn) -> None:
    options = ["--agent", "clerk", "--model", "local", "--idempotency-key", "k1"]
    limits = ["--limits", "max_steps=3", "--limits", "max_wall_s=1.5", "--metadata", "a=b=c"]
    place = ["--priority", "1", "--fairness-key", "team-7", "--delay-s", "1.5"]
    ended = await relayline(
        "run", "-", *options, *limits, *place, "--url", stand_in.url, stdin=b"h\xc3\xb6"
    )
    assert ended.code == 0, ended.err
    _, path, headers, body = stand_in.requests[0]
    assert (path, headers["idempotency-key"]) == ("/v1/runs", "k1")
    assert body == {
        "agent": "clerk",
        "input": "hö",
        "model": "local",
        "limits": {"max_steps": 3, "max_wall_s": 1.5},
        "metadata": {"a": "b=c"},
        "priority": 1,
        "fairness_key": "team-7",
        "delay_s": 1.5,
    }


async def test_run_starts_at_the_time_that_it_is_given(stand_in: StandIn) -> None:
    at = "2030-01-02T03:04:05+01:00"
    ended = await relayline("run", "hi", "--start-at", at, "--url", stand_in.url)
    assert (ended.code, ended.out) == (0, RUN + "\n")
    assert stand_in.requests[0][3] == {"agent": "assistant", "input": "hi", "start_at": at}


async def test_run_watch_shows_the_run_and_succeeds(stand_in: StandIn) -> None:
    whole(stand_in)
    stand_in.answers.append(Send(limit=350, cut=True))
    ended = await relayline("run", "hi", "--watch", "--url", stand_in.url)
    assert ended.code == 0, ended.err
    assert "forty-two\n" in ended.out
    assert "✓ completed" in ended.out
    assert ended.err.count("\n") == 1
    assert ended.err.startswith("connection lost")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["run.failed", "run.cancelled", "run.terminated"])
async def test_watching_a_run_that_ends_otherwise_fails(stand_in: StandIn, end: str) -> None:
    whole(stand_in, end)
    stand_in.run = {"status": end.removeprefix("run.")}
    assert (await relayline("watch", RUN, "--url", stand_in.url)).code == 1


async def test_json_is_one_envelope_a_line_and_nothing_else(stand_in: StandIn) -> None:
    whole(stand_in)
    ended = await relayline("run", "hi", "--watch", "--json", "--url", stand_in.url)
    assert [json.loads(line) for line in ended.out.splitlines()] == stand_in.events
    assert (ended.code, ended.err) == (0, "")


async def test_run_json_without_watch_prints_the_receipt(stand_in: StandIn) -> None:
    ended = await relayline("run", "hi", "--json", "--url", stand_in.url)
    assert json.loads(ended.out)["run_id"] == RUN


async def test_ctrl_c_detaches_and_says_how_to_come_back(stand_in: StandIn) -> None:
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    stand_in.answers.append(Send(hang_s=15, cut=True))
    process = await start("run", "hi", "--watch", "--url", stand_in.url)
    assert process.stdout is not None
    assert "assistant" in (await process.stdout.readline()).decode()
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 130
    assert f"Come back with: relayline watch {RUN} --url {stand_in.url}" in err.decode()
    assert not any(path.endswith("cancel") for _, path, _, _ in stand_in.requests)


async def test_a_terminal_gets_a_status_line_and_is_given_back(stand_in: StandIn) -> None:
    whole(stand_in)
    stand_in.answers.append(Send(limit=650, cut=True, hang_s=0.6))
    ours, theirs = pty.openpty()
    process = await start("watch", RUN, "--url", stand_in.url, out=theirs)
    _, err = await asyncio.wait_for(process.communicate(), 10)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert (process.returncode, err) == (0, b"")
    assert "forty-two" in shown, shown
    assert "running · step 1 · 0 tokens · " in shown
    assert "not connected (" in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "outcome", "code", "words"),
    [
        ("resume", {"state": "applied", "step": 3, "applied": "went on"}, 0, "applied at step 3: "),
        ("pause", {"state": "refused", "reason": "already paused"}, 1, "was refused: already"),
        ("cancel", {"state": "accepted"}, 0, "accepted; the run has not acted on it within 30 s"),
    ],
)
async def test_a_command_says_what_became_of_it(
    stand_in: StandIn, command: str, outcome: dict[str, object], code: int, words: str
) -> None:
    stand_in.outcome = outcome
    ended = await relayline(command, RUN, "--url", stand_in.url)
    assert ended.code == code
    assert f"{command} {words}" in (ended.err if code else ended.out)


@pytest.mark.slow
async def test_what_the_api_refuses_is_one_line_with_its_words(stand_in: StandIn) -> None:
    stand_in.problem = Refuse(404, "unknown-run", "no run 'run_x'")
    for command in ("watch", "pause", "cancel"):
        ended = await relayline(command, "run_x", "--url", stand_in.url)
        assert ended == Ended(1, "", "relayline: no run 'run_x'\n")


async def test_no_api_is_one_line_that_says_what_to_do() -> None:
    ended = await relayline("watch", RUN, "--url", "http://127.0.0.1:1")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith("relayline: no API answers at http://127.0.0.1:1: start one with")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "who"),
    [(["watch", RUN], ""), (["worker"], " worker"), (["api"], " api"), (["dev"], "")],
)
async def test_a_setting_that_is_wrong_is_named(words: list[str], who: str) -> None:
    ended = await relayline(*words, env={"RELAYLINE_API_PORT": "many"})
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(f"relayline{who}: RELAYLINE_API_PORT is 'many': ")


@pytest.mark.slow
@pytest.mark.parametrize("process", ["worker", "api"])
async def test_a_process_that_can_not_write_its_journal_says_so(process: str) -> None:
    ended = await relayline(process, env={"RELAYLINE_API_PORT": "0"})
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith(f"relayline {process}: ")
    assert "/proc/none" in ended.err


async def test_the_api_of_the_running_dev_is_found(stand_in: StandIn, tmp_path: Path) -> None:
    state = {
        "api": {"url": stand_in.url, "pid": 1},
        "temporal": {"address": "x", "ui": "", "pid": 1},
    }
    (tmp_path / "dev.json").write_text(json.dumps(state))
    process = await asyncio.create_subprocess_exec(
        RELAYLINE,
        *("run", "hi"),
        env={"PATH": os.environ["PATH"], "RELAYLINE_DATA_DIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert out.decode() == RUN + "\n"


@pytest.mark.slow
async def test_replay_tells_how_much_fits() -> None:
    ended = await relayline("replay", str(HISTORY))
    events = len(json.loads(HISTORY.read_text())["events"])
    assert ended == Ended(0, f"{HISTORY} fits this code: {events} events, 2 steps replayed\n", "")


@pytest.mark.slow
async def test_replay_tells_the_step_and_the_event_where_it_diverges(tmp_path: Path) -> None:
    changed = tmp_path / "changed.json"
    changed.write_text(HISTORY.read_text().replace('"call_tool"', '"other"'))
    ended = await relayline("replay", str(changed))
    assert (ended.code, ended.out) == (1, "")
    lines = ended.err.splitlines()
    assert len(lines) == 1
    assert "diverges from this code at step 1, event " in lines[0]
    assert "activity task scheduled (other): [TMPRL1100] Nondeterminism error" in lines[0]
