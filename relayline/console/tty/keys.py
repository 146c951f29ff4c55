"""Turns what a person types while a run is shown into commands: keys and lines. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from relayline.console.arguments import arguments_of
from relayline.console.tty.lines import choices
from relayline.console.tty.pager import Pager, approval_pager, question_pager
from relayline.console.tty.screen import Prompt
from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    Decide,
    Decision,
    Pause,
    Redirect,
    Resume,
)
from relayline.contracts.events import ApprovalRequested
from relayline.contracts.runs import RunStatus
from relayline.projections.rendered import Rendered

_ESC, _END_OF_INPUT, _KILL_LINE = "\x1b", "\x04", "\x15"
_ENTER = ("\n", "\r")
_ERASE = ("\x7f", "\b")
_MOVES: Mapping[str, Callable[[int, int], int]] = {
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x01"), lambda _at, _size: 0),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x05"), lambda _at, size: size),
    **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), lambda at, _size: max(at - 1, 0)),
    **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), lambda at, size: min(at + 1, size)),
}
"""Home, End, Left, Right: the new place of the cursor, from its place and the line's length."""
_STROKE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1bO.|\r\n|.", re.DOTALL)
"""A key that sends several characters, or one character."""
_Open = TypeVar("_Open")


class Remark(NamedTuple):
    """Why nothing is sent, for the person who typed."""

    words: str


_NO_APPROVAL = Remark("nothing waits for approval")
_NO_QUESTION = Remark("no question is open")


@dataclass(frozen=True)
class _Line:
    """A line that is being typed, and the command that it becomes."""

    label: str
    send: Callable[[str], AnyCommand]
    """Raises `ValueError` when the line is not valid."""
    before: str = ""
    after: str = ""
    takes_nothing: bool = False
    """True: an empty line is sent, too. False: it is given up."""


class Keys:
    """Turns what is typed, as it comes, into commands.

    One key sends a command, or starts a line where the command needs words; Enter sends the line,
    Esc gives it up. Keys apply to the oldest approval or question; a line stays with the one for
    which it was started. Pasted text sends nothing by itself: a key counts only when it comes
    alone, and a line ends only when the last character typed at once is Enter.
    """

    def __init__(self, by: str = "") -> None:
        self._by = by
        self._line: _Line | None = None
        self.pager: Pager | None = None
        """What is shown in place of the run, None for the run."""
        self._viewed: ApprovalRequested | None = None
        """The approval in the pager."""
        self._starts: dict[str, Callable[[Rendered], AnyCommand | Remark | None]] = {
            "a": self._approve,
            "d": self._deny,
            "e": self._edit,
            "i": self._answer,
            "r": self._redirect,
            "p": self._pause,
            "c": self._cancel,
            "v": self._view,
        }

    @property
    def prompt(self) -> Prompt | None:
        """The line that is being typed, None if there is none."""
        line = self._line
        return Prompt(line.label, line.before, line.after) if line else None

    def hint(self, rendered: Rendered) -> str:
        """The keys that have a meaning now."""
        words = ["a approve", "d deny", "e edit"] if rendered.approvals else []
        words += ["i answer"] if rendered.questions else []
        view = ["v view"] if words else []
        switch = "p resume" if rendered.status is RunStatus.PAUSED else "p pause"
        return " · ".join([*words, "r redirect", switch, "c cancel", *view, "Ctrl-C detaches"])

    def type(self, typed: str, rendered: Rendered) -> AnyCommand | Remark | None:
        """Take what was typed at once; return the command that it completes, or why none."""
        if self.pager:
            return self._page(self.pager, typed, rendered)
        if self._line is None:
            start = self._starts.get(typed)
            return start(rendered) if start else None
        strokes: list[str] = _STROKE.findall(typed)
        for number, stroke in enumerate(strokes, 1):
            if stroke in {_ESC, _END_OF_INPUT}:
                self._line = None
                return None
            if stroke[0] in _ENTER and number == len(strokes):
                return self._enter(self._line)
            self._line = _edited(self._line, stroke)
        return None

    def _enter(self, line: _Line) -> AnyCommand | Remark | None:
        text = line.before + line.after
        if not (text.strip() or line.takes_nothing):
            self._line = None
            return None
        try:
            command = line.send(text)
        except ValueError as error:
            return Remark(str(error))
        self._line = None
        return command

    def _page(self, pager: Pager, typed: str, rendered: Rendered) -> AnyCommand | Remark | None:
        """Take keys while something is viewed; a decision is about what is viewed."""
        if typed in {"q", "v", _ESC, _END_OF_INPUT}:
            self.pager = None
        elif typed in {"a", "d"} and self._viewed:
            self.pager = None
            if self._viewed.approval_id not in rendered.approvals:
                return Remark(f"{self._viewed.approval_id} no longer waits for approval")
            if typed == "a":
                return self._approve_it(self._viewed)
            self._deny_it(self._viewed)
        else:
            for stroke in _STROKE.findall(typed):
                pager.type(stroke)
        return None

    def _view(self, rendered: Rendered) -> Remark | None:
        self._viewed, question = _oldest(rendered.approvals), _oldest(rendered.questions)
        if self._viewed:
            self.pager = approval_pager(self._viewed)
        elif question:
            self.pager = question_pager(question)
        else:
            return Remark("nothing waits for a person")
        return None

    def _approve(self, rendered: Rendered) -> AnyCommand | Remark:
        approval = _oldest(rendered.approvals)
        return self._approve_it(approval) if approval else _NO_APPROVAL

    def _deny(self, rendered: Rendered) -> Remark | None:
        approval = _oldest(rendered.approvals)
        if approval is None:
            return _NO_APPROVAL
        self._deny_it(approval)
        return None

    def _approve_it(self, approval: ApprovalRequested) -> AnyCommand:
        return self._decide(approval.approval_id, Decision.APPROVE)

    def _deny_it(self, approval: ApprovalRequested) -> None:
        id_ = approval.approval_id
        self._line = _Line(
            f"deny {id_}; a note, or just Enter: ",
            lambda note: self._decide(id_, Decision.DENY, note=note),
            takes_nothing=True,
        )

    def _edit(self, rendered: Rendered) -> Remark | None:
        approval = _oldest(rendered.approvals)
        if approval is None:
            return _NO_APPROVAL
        id_ = approval.approval_id
        self._line = _Line(
            f"approve {id_} with: ",
            lambda text: self._decide(id_, Decision.APPROVE, arguments=arguments_of(text)),
            before=json.dumps(approval.arguments, ensure_ascii=False),
        )
        return None

    def _answer(self, rendered: Rendered) -> Remark | None:
        question = _oldest(rendered.questions)
        if question is None:
            return _NO_QUESTION
        id_ = question.request_id
        offered = " · ".join(choices(question))
        self._line = _Line(
            f"answer {id_} ({offered}): " if offered else f"answer {id_}: ",
            lambda text: Answer(request_id=id_, text=text, by=self._by),
        )
        return None

    def _redirect(self, _: Rendered) -> None:
        self._line = _Line("redirect: ", lambda text: Redirect(message=text, by=self._by))

    def _pause(self, rendered: Rendered) -> AnyCommand:
        paused = rendered.status is RunStatus.PAUSED
        return Resume(by=self._by) if paused else Pause(by=self._by)

    def _cancel(self, _: Rendered) -> None:
        self._line = _Line(
            "cancel the run; a reason, or just Enter: ",
            lambda text: Cancel(reason=text, by=self._by),
            takes_nothing=True,
        )

    def _decide(
        self,
        approval_id: str,
        decision: Decision,
        arguments: dict[str, JsonValue] | None = None,
        note: str = "",
    ) -> Decide:
        return Decide(
            approval_id=approval_id,
            decision=decision,
            arguments=arguments,
            note=note,
            by=self._by,
        )


def _oldest(open_: Mapping[str, _Open]) -> _Open | None:
    return next(iter(open_.values()), None)


def _edited(line: _Line, stroke: str) -> _Line:
    """The line after one more key; unknown keys change nothing."""
    before, after = line.before, line.after
    if stroke in _ERASE:
        before = before[:-1]
    elif stroke == _KILL_LINE:
        before = ""
    elif stroke in _MOVES:
        at = _MOVES[stroke](len(before), len(before + after))
        whole = before + after
        before, after = whole[:at], whole[at:]
    elif stroke[0] in _ENTER:
        before += "\n"
    elif stroke.isprintable():
        before += stroke
    return replace(line, before=before, after=after)
