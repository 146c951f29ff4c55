"""Tells people about a run's events: which words, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import NamedTuple

from pydantic import JsonValue

from relayline.client import Retry
from relayline.client.events import LOST, UNAVAILABLE
from relayline.console.tty.lines import (
    STEERING_LINES,
    amount,
    broken_off,
    call,
    duration,
    notice,
    one_line,
)
from relayline.console.tty.screen import Screen
from relayline.contracts.calls import preview
from relayline.contracts.envelope import Envelope
from relayline.contracts.events import TERMINAL_TYPES
from relayline.contracts.runs import RunStatus
from relayline.projections.rendered import Rendered
from relayline.projections.steps import ToolState

_RESULT_CHARS = 160
_INPUT_CHARS = 500
_PROGRESS_CHARS = 60
_REASON_CHARS = 40
_SHOWN = 3
_REASONING = "dim italic"
_BAD, _GOOD, _ASK, _QUIET = "red", "green", "yellow", "dim"

_Data = Mapping[str, JsonValue]


class _Gap(NamedTuple):
    """Nothing comes for a while."""

    state: str
    """`waiting`: connected, but nobody works on the run; or `not connected`."""
    reason: str


class Narrator:
    """Writes each event to a screen; `rendered` is the state of the run so far.

    Text is written as it comes. When an attempt is superseded, or the stored message does not begin
    with what was written, a line says so before the text starts over.
    """

    def __init__(self) -> None:
        self.rendered = Rendered()
        self._screen: Screen | None = None
        self._written = ""
        """The text of the newest step, as far as it is on the screen."""
        self._started: datetime | None = None
        self._newest: datetime | None = None
        self._received_s = 0.0
        self._gap: _Gap | None = None
        """Why nothing comes right now."""
        self._notices: dict[str, Callable[[Envelope], None]] = {
            UNAVAILABLE: self._unavailable,
            LOST: self._lost,
        }
        self._tellers: dict[str, Callable[[Envelope, _Data], None]] = {
            "run.started": self._run_started,
            "message.user": self._user,
            "step.started": self._step_started,
            "message.delta": self._delta,
            "reasoning.delta": self._reasoning,
            "message.completed": self._message,
            "message.interrupted": self._message,
            "output.rejected": self._rejected,
            "attempt.superseded": self._superseded,
            "attempt.failed": self._attempt_failed,
            "attempt.lost": self._attempt_lost,
            "model.fallback": self._fallback,
            "context.compacted": self._compacted,
            "tool.started": self._tool_started,
            "tool.completed": self._tool_completed,
            "tool.failed": self._tool_failed,
            "tool.cancelled": self._tool_stopped,
            "tool.abandoned": self._tool_stopped,
            "budget.exceeded": self._budget,
        }

    def open(self, screen: Screen) -> None:
        """Write to this screen from now on."""
        self._screen = screen

    def tell(self, event: Envelope) -> None:
        """Write what this event means to people; nothing for an unknown type."""
        if told := self._notices.get(event.type):
            told(event)
            return
        before, self.rendered = self.rendered, self.rendered.apply(event)
        if before is self.rendered:
            return
        self._newest, self._received_s = event.at, monotonic()
        self._gap = None
        if event.type in TERMINAL_TYPES:
            self._ended(event)
        elif teller := self._tellers.get(event.type):
            teller(event, event.data)
        elif lines := STEERING_LINES.get(event.type):
            for words, style in lines(event, event.data):
                self._line(words, style)

    def broken_off(self, retry: Retry) -> None:
        """Tell that the connection is lost; once, however often it is tried again."""
        self._wait(_Gap("not connected", retry.reason), broken_off(retry.reason))

    def _unavailable(self, event: Envelope) -> None:
        """Tell that nobody works on the run; once, however often the server says so."""
        self._wait(_Gap("waiting", str(event.data.get("reason"))), notice(event))

    def _lost(self, event: Envelope) -> None:
        """Say that events are lost; everything is told from the start."""
        self.rendered, self._written, self._gap = Rendered(), "", None
        self._line(f"↻ {notice(event)}", _ASK)

    def _wait(self, gap: _Gap, words: str) -> None:
        before, self._gap = self._gap, gap
        known = before is not None and before.state == gap.state
        if not known and self._screen:
            self._screen.aside(words)

    def status_line(self) -> str:
        """Step, what runs, tokens, elapsed time."""
        rendered = self.rendered
        running = [tool for tool in rendered.tools.values() if tool.state is ToolState.RUNNING]
        waits = [*rendered.approvals, *rendered.questions]
        words = [rendered.status.value, f"step {rendered.step}", *waits[:_SHOWN]]
        words += [
            one_line(f"{tool.name} {tool.progress}", _PROGRESS_CHARS) for tool in running[:_SHOWN]
        ]
        words += [f"{rendered.usage.total_tokens:,} tokens", duration(self._elapsed_s(live=True))]
        if self._gap:
            words.insert(0, f"{self._gap.state} ({preview(self._gap.reason, _REASON_CHARS)})")
        return " · ".join(words)

    def _elapsed_s(self, *, live: bool) -> float:
        """By the clock of the events' writer; live, plus the time since the newest came."""
        if self._started is None or self._newest is None:
            return 0
        since_s = monotonic() - self._received_s if live else 0
        return (self._newest - self._started).total_seconds() + since_s

    def _line(self, words: str, style: str = "") -> None:
        if self._screen:
            self._screen.line(words, style)

    def _text(self, piece: str, style: str = "") -> None:
        if self._screen and piece:
            self._screen.text(piece, style)

    def _run_started(self, event: Envelope, data: _Data) -> None:
        self._started = event.at
        self._line(f"▶ {event.run_id} · {data.get('agent')} · {data.get('model')}", _QUIET)

    def _user(self, _: Envelope, data: _Data) -> None:
        self._line(f"> {one_line(data.get('text'), _INPUT_CHARS)}", "bold")

    def _step_started(self, event: Envelope, _: _Data) -> None:
        self._written = ""
        self._line(f"— step {event.step}", _QUIET)

    def _delta(self, event: Envelope, _: _Data) -> None:
        text = self.rendered.text(event.step or 0)
        if text.startswith(self._written):
            self._text(text[len(self._written) :])
        else:
            self._line("↻ a new attempt: starting this step over", _ASK)
            self._text(text)
        self._written = text

    def _reasoning(self, _: Envelope, data: _Data) -> None:
        self._text(str(data.get("text", "")), _REASONING)

    def _superseded(self, _: Envelope, data: _Data) -> None:
        void = data.get("attempt")
        number = void + 1 if isinstance(void, int) else "?"
        why = one_line(data.get("reason"), _RESULT_CHARS)
        self._written = ""
        self._line(f"↻ attempt {number}: {why}; starting this step over", _ASK)

    def _attempt_failed(self, _: Envelope, data: _Data) -> None:
        error, wait_s = data.get("error"), data.get("retry_in_s")
        what = error.get("message") if isinstance(error, dict) else error
        when = f" in {wait_s:g} s" if isinstance(wait_s, int | float) else ""
        self._line(
            f"✗ the model call failed: {one_line(what, _RESULT_CHARS)}; trying again{when}", _ASK
        )

    def _attempt_lost(self, _: Envelope, data: _Data) -> None:
        what = one_line(data.get("name") or "the model call", _RESULT_CHARS)
        count = f"{data.get('counted')} of {data.get('allowed')}" if data.get("counted") else "once"
        self._line(f"✗ the worker died while {what} ran ({count})", _ASK)

    def _fallback(self, _: Envelope, data: _Data) -> None:
        why = one_line(data.get("reason"), _RESULT_CHARS)
        self._line(f"↷ {data.get('from')} is unavailable ({why}); {data.get('to')} is asked", _ASK)

    def _compacted(self, _: Envelope, data: _Data) -> None:
        what = "summed up" if data.get("kind") == "summarise" else "left out"
        before, after = data.get("before_tokens"), data.get("after_tokens")
        self._line(
            f"≡ {data.get('left_out')} earlier messages {what} for the model: about {before} → "
            f"{after} tokens",
            _QUIET,
        )

    def _message(self, event: Envelope, _: _Data) -> None:
        text = self.rendered.text(event.step or 0)
        if not text.startswith(self._written):
            self._line("↻ the message as it was stored:", _ASK)
            self._written = ""
        self._text(text[len(self._written) :])
        self._written = text
        if self._screen:
            self._screen.end_text()
        if event.type == "message.interrupted":
            self._line("■ the model was stopped here", _ASK)

    def _rejected(self, _: Envelope, data: _Data) -> None:
        why = one_line(data.get("problem"), _RESULT_CHARS)
        count = f"{data.get('rejections')} of {data.get('allowed')}"
        self._line(f"↻ the answer does not fit ({count}): {why}", _ASK)

    def _tool_started(self, event: Envelope, data: _Data) -> None:
        again = f" (attempt {event.attempt})" if (event.attempt or 1) > 1 else ""
        self._line(f"→ {call(data.get('name'), data.get('arguments'))}{again}", "cyan")

    def _tool_completed(self, _: Envelope, data: _Data) -> None:
        output = str(data.get("output", ""))
        size = f" ({len(output):,} characters)" if len(output) > _RESULT_CHARS else ""
        self._line(f"✓ {data.get('name')}: {one_line(output, _RESULT_CHARS)}{size}", _GOOD)

    def _tool_failed(self, _: Envelope, data: _Data) -> None:
        again = "; trying again" if data.get("retryable") else ""
        error = one_line(data.get("error"), _RESULT_CHARS)
        self._line(f"✗ {data.get('name')}: {error}{again}", _BAD)

    def _tool_stopped(self, event: Envelope, data: _Data) -> None:
        cancelled = event.type == "tool.cancelled"
        what = "was cancelled" if cancelled else "did not stop when cancelled; it may still run"
        self._line(f"■ {data.get('name')} {what}", _ASK)

    def _budget(self, _: Envelope, data: _Data) -> None:
        used, allowed = (amount(data.get(name)) for name in ("used", "allowed"))
        self._line(f"✗ {data.get('limit')} is {allowed} and {used} would be used", _BAD)

    def _ended(self, event: Envelope) -> None:
        rendered = self.rendered
        usage = rendered.usage
        words = [
            rendered.status.value.replace("_", " "),
            f"{rendered.step} steps" if rendered.step != 1 else "1 step",
            f"{usage.input_tokens:,} + {usage.output_tokens:,} tokens",
            duration(self._elapsed_s(live=False)),
        ]
        good = rendered.status is RunStatus.COMPLETED
        why = rendered.error.message if rendered.error else event.data.get("reason")
        self._line(f"{'✓' if good else '✗'} {' · '.join(words)}", _GOOD if good else _BAD)
        if why:
            self._line(f"  {one_line(why, _INPUT_CHARS)}", "" if good else _BAD)
