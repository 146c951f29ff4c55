"""A person at a terminal steers the run that is shown there; the terminal is given back."""

from __future__ import annotations

import signal
import termios
from functools import partial
from typing import Any

import pytest

from tests.client.stand_in import RUN, Live, Refuse, StandIn
from tests.console.tty.emulator import Emulator
from tests.console.tty.terminal import Terminal, at_terminal
from tests.console.tty.test_watch import displayed

EXPIRES = "2026-11-24T10:00:00Z"


def begin(stand_in: StandIn) -> None:
    """A run in the middle of its text, followed as it goes on."""
    stand_in.answers.append(Live())
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    stand_in.add("step.started", 1, model="rehearsal")
    stand_in.add("message.delta", 1, 1, text="let me see")


def ask(stand_in: StandIn, id_: str = "approval_1_0", **more: str) -> None:
    arguments = {"path": "a", **more}
    stand_in.add(
        *("approval.requested", 1),
        approval_id=id_,
        call_id=id_,
        tool="write_file",
        arguments=arguments,
        expires_at=EXPIRES,
    )


def in_cbreak(terminal: Terminal) -> bool:
    return not terminal.mode[3] & (termios.ECHO | termios.ICANON)


def whole(mode: list[Any]) -> bool:
    """An ordinary terminal: lines are edited by it, and shown."""
    both = termios.ECHO | termios.ICANON
    return bool(mode[3] & both == both)


def posts(stand_in: StandIn) -> list[tuple[str, dict[str, Any]]]:
    runs = f"/v1/runs/{RUN}/"
    return [
        (path.removeprefix(runs), body)
        for method, path, _, body in stand_in.requests
        if method == "POST" and path.startswith(runs)
    ]


def obey(stand_in: StandIn, path: str, body: dict[str, Any]) -> None:
    """What a run does about each command: it goes on to the next thing, and ends."""
    match path:
        case "approvals/approval_1_0":
            ended = {"approval_id": "approval_1_0", "decision": "approve", "at": EXPIRES}
            stand_in.add("approval.resolved", 1, **ended, by=body["by"])
            stand_in.add("input.requested", 1, request_id="q1", question="Which?")
        case "answer":
            answered = {"request_id": "q1", "text": body["text"], "by": body["by"]}
            stand_in.add("input.received", 1, **answered)
        case "redirect":
            stand_in.add("message.user", text=body["message"])
            stand_in.add("run.completed", 1)
        case _:
            raise AssertionError(path)


async def test_a_person_approves_answers_and_redirects_by_keys(stand_in: StandIn) -> None:
    begin(stand_in)
    ask(stand_in)
    stand_in.react = partial(obey, stand_in)
    async with at_terminal("run", "hi", "--watch", "--url", stand_in.url) as terminal:
        before = terminal.mode
        await terminal.shows("a approve · d deny · e edit · r redirect · p pause · c cancel")
        assert in_cbreak(terminal)
        terminal.type("a")
        await terminal.shows("? approval_1_0 approved by ann")
        await terminal.shows("i answer · r redirect")
        await terminal.enter("i", "the blüe one")
        await terminal.shows("? q1 answered by ann: the blüe one")
        await terminal.enter("r", "go left")
        assert await terminal.ended() == 0
        assert terminal.mode == before
    assert posts(stand_in) == [
        ("approvals/approval_1_0", {"decision": "approve", "note": "", "by": "ann"}),
        ("answer", {"request_id": "q1", "text": "the blüe one", "by": "ann"}),
        ("redirect", {"message": "go left", "now": True, "by": "ann"}),
    ]
    assert displayed(terminal.shown)[:-1] == [
        f"▶ {RUN} · assistant · rehearsal",
        "— step 1",
        "let me see",
        "? approval_1_0: may write_file(path=a) run? Waits until 2026-11-24 10:00:00 UTC",
        f"  `relayline approve {RUN} approval_1_0`, or `deny`",
        "? approval_1_0 approved by ann",
        "? q1: Which? Waits for an answer",
        f"  `relayline answer {RUN} q1 TEXT`",
        "? q1 answered by ann: the blüe one",
        "> go left",
    ]
    assert terminal.shown.rfind("\x1b[?25h") > terminal.shown.rfind("\x1b[?25l")


@pytest.mark.slow
async def test_the_prompt_takes_the_place_of_the_status_line_and_text_goes_on(
    stand_in: StandIn,
) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        at = await terminal.shows("Ctrl-C detaches")
        terminal.type("r")
        at = await terminal.shows("redirect: ▏", at)
        terminal.type("x" * 200)
        at = await terminal.shows("redirect: xxx", at)
        stand_in.add("message.delta", 1, 1, text=" and on")
        end = await terminal.shows("let me see and on", at)
        drawn = await terminal.shows("▏", end)
        assert "running" not in terminal.shown[end:drawn]
        terminal.type("\x1b")
        await terminal.shows("running · step 1", drawn)
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0
    assert posts(stand_in) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_ctrl_c_and_sigterm_detach_and_give_the_terminal_back(
    stand_in: StandIn, number: signal.Signals, code: int
) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        await terminal.shows("Ctrl-C detaches")
        terminal.type("r")
        await terminal.shows("redirect: ▏")
        assert in_cbreak(terminal)
        if number == signal.SIGINT:
            terminal.type("\x03")
        else:
            terminal.process.send_signal(number)
        assert await terminal.ended() == code
        assert whole(terminal.mode)
        await terminal.shows(f"Come back with: relayline watch {RUN} --url {stand_in.url}")
    assert terminal.shown.rfind("\x1b[?25h") > terminal.shown.rfind("\x1b[?25l")
    assert posts(stand_in) == []


@pytest.mark.slow
async def test_what_the_api_refuses_and_keys_without_a_use_are_a_line(stand_in: StandIn) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        await terminal.shows("Ctrl-C detaches")
        terminal.type("a")
        await terminal.shows("✗ nothing waits for approval")
        stand_in.problem = Refuse(409, "run-ended", "it has ended")
        terminal.type("p")
        await terminal.shows("✗ pause: it has ended")
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0
        assert whole(terminal.mode)


@pytest.mark.slow
async def test_after_a_stop_and_in_the_foreground_again_keys_are_read_as_before(
    stand_in: StandIn,
) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        await terminal.shows("Ctrl-C detaches")
        cooked = terminal.mode
        cooked[3] |= termios.ECHO | termios.ICANON
        terminal.process.send_signal(signal.SIGSTOP)
        terminal.set_mode(cooked)
        terminal.process.send_signal(signal.SIGCONT)
        await terminal.until(lambda: in_cbreak(terminal))
        await terminal.enter("r", "on")
        await terminal.until(lambda: bool(posts(stand_in)))
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0


@pytest.mark.slow
async def test_the_end_of_the_run_gives_the_terminal_back_in_the_middle_of_a_line(
    stand_in: StandIn,
) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        await terminal.shows("Ctrl-C detaches")
        terminal.type("r")
        await terminal.shows("redirect: ▏")
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0
        assert whole(terminal.mode)


@pytest.mark.slow
async def test_keys_come_from_the_terminal_when_the_input_comes_from_a_pipe(
    stand_in: StandIn,
) -> None:
    begin(stand_in)
    ask(stand_in)
    stand_in.react = partial(obey, stand_in)
    words = ("run", "-", "--watch", "--url", stand_in.url)
    async with at_terminal(*words, piped=b"from a pipe") as terminal:
        before = terminal.mode
        await terminal.shows("a approve")
        assert in_cbreak(terminal)
        terminal.type("a")
        await terminal.shows("i answer")
        await terminal.enter("r", "go left")
        assert await terminal.ended() == 0
        assert terminal.mode == before
    assert [path for path, _ in posts(stand_in)] == ["approvals/approval_1_0", "redirect"]


@pytest.mark.slow
async def test_a_person_reads_all_of_the_arguments_and_decides_there(stand_in: StandIn) -> None:
    begin(stand_in)
    content = "\n".join(f"line {number} {'x' * 30}" for number in range(40))
    ask(stand_in, content=content)
    stand_in.react = partial(obey, stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        await terminal.shows("v view")
        terminal.type("v")
        at = await terminal.shows("\x1b[?1049h")
        at = await terminal.shows("approval_1_0: may write_file run with this?", at)
        at = await terminal.shows("content:\r\n", at)
        at = await terminal.shows("1-22 of 43", at)
        stand_in.add("message.delta", 1, 1, text=" and on")
        terminal.type("G")
        at = await terminal.shows("line 39", at)
        terminal.type("a")
        at = await terminal.shows("\x1b[?1049l", at)
        await terminal.shows("approved by ann", at)
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0
    assert [path for path, _ in posts(stand_in)] == ["approvals/approval_1_0"]
    rows = displayed(terminal.shown)
    assert " and on" in rows
    assert "line 39" not in "".join(rows)


@pytest.mark.slow
async def test_a_terminal_that_becomes_narrower_shows_each_row_once(stand_in: StandIn) -> None:
    begin(stand_in)
    async with at_terminal("watch", RUN, "--url", stand_in.url) as terminal:
        stand_in.add("message.delta", 1, 1, text=" " + " ".join(f"w{n}" for n in range(20)))
        at = await terminal.shows("w19")
        await terminal.shows("Ctrl-C detaches", at)
        emulator = Emulator(100)
        shown = len(terminal.shown)
        emulator.write(terminal.shown)
        terminal.resize(30)
        emulator.resize(30)
        stand_in.add("message.delta", 1, 1, text=" w20")
        stand_in.add("run.completed", 1)
        assert await terminal.ended() == 0
    emulator.write(terminal.shown[shown:])
    words = " ".join(emulator.rows).split()
    assert [word for word in words if word.startswith("w")] == [f"w{n}" for n in range(21)]
