"""What people see of a run: the text as stored, what became of tools, and why it starts over."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console
from starlette.responses import Response

from relayline.client import AsyncClient, Retry
from relayline.console.tty.live import LiveScreen
from relayline.console.tty.narrator import Narrator
from relayline.console.tty.screen import PlainScreen
from relayline.console.tty.watch import watch, watch_json
from relayline.contracts.envelope import Envelope
from relayline.contracts.runs import RunStatus
from tests.client.stand_in import RUN, Send, StandIn, envelope
from tests.console.tty.emulator import Emulator

NOBODY = envelope(0, "worker.unavailable", {"reason": "no worker answers"})
USAGE = {"input_tokens": 1200, "output_tokens": 34}


def begin(stand_in: StandIn) -> None:
    stand_in.add("run.started", agent="assistant", model="rehearsal", limits={})
    stand_in.add("message.user", text="What is\n6*7?")
    stand_in.add("step.started", 1, kind="model", model="rehearsal")


def say(stand_in: StandIn, step: int, attempt: int, *pieces: str) -> None:
    for piece in pieces:
        stand_in.add("message.delta", step, attempt, text=piece)


def end(stand_in: StandIn) -> None:
    stand_in.add("run.completed", 1, output="whatever", usage=USAGE)


async def seen(stand_in: StandIn) -> str:
    out = io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        await watch(client.run(RUN), out, io.StringIO())
    return out.getvalue()


async def test_text_is_written_as_it_came_and_only_once(stand_in: StandIn) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "It ", "is\tforty", "-two.\n\n", "  Really.")
    text = "It is\tforty-two.\n\n  Really."
    stand_in.add("message.completed", 1, 1, text=text, finish_reason="stop", usage=USAGE)
    end(stand_in)
    out = await seen(stand_in)
    assert f"\n{text}\n" in out
    assert out.count("forty") == 1
    assert "> What is 6*7?\n" in out
    assert out.endswith("✓ completed · 1 step · 1,200 + 34 tokens · 8.0 s\n")


async def test_superseded_text_is_marked_plainly_before_it_starts_over(stand_in: StandIn) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "It is for")
    stand_in.add(
        "attempt.superseded", 1, 2, attempt=1, from_seq=4, to_seq=4, reason="the worker was lost"
    )
    say(stand_in, 1, 2, "It is forty-two.")
    stand_in.add("message.completed", 1, 2, text="It is forty-two.", finish_reason="stop")
    end(stand_in)
    mark = "↻ attempt 2: the worker was lost; starting this step over"
    assert f"\nIt is for\n{mark}\nIt is forty-two.\n✓" in await seen(stand_in)


async def test_a_new_attempt_without_a_mark_starts_over_all_the_same(stand_in: StandIn) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "It is for")
    say(stand_in, 1, 2, "Forty-two.")
    end(stand_in)
    out = await seen(stand_in)
    assert "It is for\n↻ a new attempt: starting this step over\nForty-two.\n" in out


async def test_the_stored_message_wins_over_what_was_streamed(stand_in: StandIn) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "abc")
    stand_in.add("message.completed", 1, 1, text="abcdef", finish_reason="stop")
    stand_in.add("step.started", 2, kind="model", model="rehearsal")
    say(stand_in, 2, 1, "xyz")
    stand_in.add("message.interrupted", 2, 1, text="uvw")
    end(stand_in)
    out = await seen(stand_in)
    assert "\nabcdef\n— step 2\n" in out
    assert "\nxyz\n↻ the message as it was stored:\nuvw\n■ the model was stopped here\n" in out


async def test_each_tool_event_is_one_bounded_line(stand_in: StandIn) -> None:
    begin(stand_in)
    stand_in.add("reasoning.delta", 1, 1, text="let me think")
    ids = {"call_id": "call_1_0", "name": "read_file"}
    stand_in.add("tool.started", 1, 1, **ids, arguments={"path": "x" * 500, "n": 1})
    stand_in.add("tool.progress", 1, 1, call_id="call_1_0", message="half")
    stand_in.add("tool.failed", 1, 1, **ids, error="disk\nfull", retryable=True)
    stand_in.add("tool.started", 1, 2, **ids, arguments={"path": "a"})
    stand_in.add("tool.completed", 1, 2, **ids, output="line\n" * 1000, truncated=False)
    stand_in.add("tool.failed", 1, 2, call_id="b", name="bad", error="no", retryable=False)
    stand_in.add("tool.cancelled", 1, 2, call_id="c", name="sleep", acked_at="now")
    stand_in.add("tool.abandoned", 1, 2, call_id="d", name="hang")
    end(stand_in)
    out = await seen(stand_in)
    assert "let me think\n→ read_file(path=xxx" in out
    assert "✗ read_file: disk full; trying again\n→ read_file(path=a) (attempt 2)\n" in out
    assert "✓ read_file: line line" in out
    assert "(5,000 characters)\n✗ bad: no\n■ sleep was cancelled\n■ hang did not stop" in out
    assert max(len(line) for line in out.splitlines()) < 250


async def test_a_compacted_context_is_told_in_one_line(stand_in: StandIn) -> None:
    begin(stand_in)
    for kind in ("summarise", "keep_last"):
        stand_in.add(
            "context.compacted", 1, kind=kind, left_out=6, before_tokens=250, after_tokens=90
        )
    stand_in.add("run.completed", 1)
    assert (
        "≡ 6 earlier messages summed up for the model: about 250 → 90 tokens\n"
        "≡ 6 earlier messages left out for the model: about 250 → 90 tokens\n"
    ) in await seen(stand_in)


async def test_a_server_that_the_run_does_without_is_told(stand_in: StandIn) -> None:
    begin(stand_in)
    gone = {"server": "gone", "reason": "no answer\nwithin 10 s"}
    stand_in.add("tools.listed", 1, servers=["notes"], missing=[], sha256="d")
    stand_in.add("tools.listed", 1, servers=["notes", "gone"], missing=[gone], sha256="e")
    stand_in.add("run.completed", 1)
    assert "✗ no tools of MCP server gone: no answer within 10 s\n" in await seen(stand_in)


async def test_failed_calls_and_limits_are_told(stand_in: StandIn) -> None:
    begin(stand_in)
    error = {"type": "model-unavailable", "message": "overloaded"}
    stand_in.add("attempt.failed", 1, 1, error=error, retry_in_s=1.5)
    for name, counted in ((None, 0), ("crash", 2)):
        stand_in.add("attempt.lost", 1, 1, name=name, losses=3, counted=counted, allowed=3)
    stand_in.add("model.fallback", 1, 3, **{"from": "a", "to": "b", "reason": "busy"})
    stand_in.add("budget.exceeded", 1, limit="max_steps", used=3.0, allowed=2.0)
    stand_in.add("run.completed", 1)
    assert (
        "✗ the model call failed: overloaded; trying again in 1.5 s\n"
        "✗ the worker died while the model call ran (once)\n"
        "✗ the worker died while crash ran (2 of 3)\n"
        "↷ a is unavailable (busy); b is asked\n"
        "✗ max_steps is 2 and 3 would be used\n"
    ) in await seen(stand_in)


@pytest.mark.parametrize(
    ("kind", "data", "status", "words"),
    [
        ("run.completed", {"output": ""}, RunStatus.COMPLETED, "✓ completed"),
        ("run.cancelled", {"reason": "enough"}, RunStatus.CANCELLED, "  enough"),
        ("run.timed_out", {"reason": ""}, RunStatus.TIMED_OUT, "✗ timed out"),
        (
            "run.failed",
            {"error": {"type": "budget-exceeded", "message": "too many"}},
            RunStatus.FAILED,
            "  too many",
        ),
    ],
)
async def test_the_end_is_told_and_given_back(
    stand_in: StandIn, kind: str, data: dict[str, Any], status: RunStatus, words: str
) -> None:
    begin(stand_in)
    stand_in.add(kind, 1, **data)
    out = io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        assert await watch(client.run(RUN), out, io.StringIO()) is status
        assert words in out.getvalue()
        assert await watch_json(client.run(RUN), io.StringIO(), io.StringIO()) is status


async def test_a_lost_connection_is_told_once_and_kept_out_of_the_text(
    stand_in: StandIn,
) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "one ", "two ", "three")
    end(stand_in)
    stand_in.answers += [Send(limit=700, cut=True), Send(limit=3), Send(limit=3)]
    out, err = io.StringIO(), io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        await watch(client.run(RUN), out, err)
    assert "\none two three\n" in out.getvalue()
    assert err.getvalue().count("connection lost") == 1
    assert err.getvalue().endswith("trying again\n")


async def test_that_nobody_works_on_a_run_is_said_once(stand_in: StandIn) -> None:
    begin(stand_in)
    end(stand_in)
    notice = b'event: worker.unavailable\ndata: {"data": {"reason": "no worker answers"}}\n\n'
    stand_in.answers.append(Send(preamble=notice * 3))
    err = io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        await watch(client.run(RUN), io.StringIO(), err)
    assert err.getvalue() == "waiting: no worker answers\n"


def test_the_status_line_has_what_runs_tokens_and_time() -> None:
    stand_in, narrator = StandIn(), Narrator()
    assert narrator.status_line() == "queued · step 0 · 0 tokens · 0.0 s"
    begin(stand_in)
    stand_in.add("message.completed", 1, 1, text="", finish_reason="tool_calls", usage=USAGE)
    stand_in.add("tool.started", 1, 1, call_id="a", name="read_file", arguments={})
    stand_in.add("tool.progress", 1, 1, call_id="a", message="half")
    for event in stand_in.events * 2:
        narrator.tell(Envelope.model_validate(event))
    line = "running · step 1 · read_file half · 1,234 tokens · 5.0 s"
    assert narrator.status_line() == line
    narrator.broken_off(Retry("gone", 1))
    assert narrator.status_line() == f"not connected (gone) · {line}"
    narrator.tell(Envelope.model_validate(NOBODY))
    assert narrator.status_line() == f"waiting (no worker answers) · {line}"
    stand_in.add("run.resumed")
    stand_in.events[-1]["at"] = "2026-11-23T11:01:07Z"
    narrator.tell(Envelope.model_validate(stand_in.events[-1]))
    assert narrator.status_line().endswith("1,234 tokens · 61 min 06 s")


async def test_json_lines_are_the_envelopes_and_nothing_else(stand_in: StandIn) -> None:
    begin(stand_in)
    say(stand_in, 1, 1, "líne\u2028", "\n", "\x9b2J\x7f\x1b[31m\x85")
    stand_in.add("mood.changed", to="good")
    end(stand_in)
    stand_in.answers.append(Send(limit=700, cut=True))
    out, err = io.StringIO(), io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        await watch_json(client.run(RUN), out, err)
    lines = out.getvalue().removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == stand_in.events
    assert "connection lost" in err.getvalue()
    assert not {*map(chr, range(0x7F, 0xA0))} & set(out.getvalue())


async def test_a_stream_with_nothing_left_to_send_ends_with_the_status_of_the_api(
    stand_in: StandIn,
) -> None:
    stand_in.run = {"status": "terminated"}
    stand_in.answers += [Response(status_code=204), Response(status_code=204)]
    async with AsyncClient(stand_in.url) as client:
        for show in (watch, watch_json):
            status = await show(client.run(RUN), io.StringIO(), io.StringIO())
            assert status is RunStatus.TERMINATED


@pytest.mark.parametrize("bad", ["\x1b[31mred", "bell\x07", "\x9b2J", "over\rwrite"])
def test_text_cannot_steer_the_terminal(bad: str) -> None:
    out = io.StringIO()
    with PlainScreen(out, out) as plain:
        plain.text(bad)
        plain.line(bad)
        plain.aside(bad)
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, force_interactive=True, width=40)
    with LiveScreen(console, lambda: bad) as live:
        live.text(bad)
        live.line(bad)
    assert not set("\x1b\x07\x9b\r") & set(out.getvalue())
    assert "\x1b[31m" not in terminal.getvalue()
    assert not set("\x07\x9b") & set(terminal.getvalue())


def displayed(written: str, width: int = 100) -> list[str]:
    """The rows that stand on a terminal after all that."""
    emulator = Emulator(width)
    emulator.write(written)
    return emulator.rows


def test_a_terminal_keeps_every_row_once_and_no_status_line() -> None:
    terminal = io.StringIO()
    console = Console(
        file=terminal, force_terminal=True, force_interactive=True, width=20, color_system=None
    )
    with LiveScreen(console, lambda: "step 1 · 3 tokens · and much more") as screen:
        for number in range(6):
            screen.text(f"word{number} ")
        screen.text("\n\nlast row")
        assert displayed(terminal.getvalue(), 20)[-2:] == ["last row", "step 1 · 3 tokens ·…"]
        screen.text("thought", "dim")
        screen.line("a line")
        assert displayed(terminal.getvalue(), 20)[-3:-1] == ["thought", "a line"]
    kept = ["word0 word1 word2", "word3 word4 word5", "", "last row", "thought", "a line"]
    assert displayed(terminal.getvalue(), 20) == kept
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l")
