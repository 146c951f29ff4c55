"""The commands that steer a run, the same for `Run` and `AsyncRun`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import JsonValue

from relayline.client.files.saying import Said, parts_of
from relayline.contracts.commands import (
    Answer,
    AnyCommand,
    Cancel,
    CancelScope,
    Close,
    Decide,
    Decision,
    IfBusy,
    Pause,
    Redirect,
    Resume,
    SendMessage,
)

Receipt = TypeVar("Receipt")
"""`CommandReceipt`, or what is awaited for one."""


class Commands(ABC, Generic[Receipt]):
    """Each command gives a receipt as soon as the server has it; the run acts on it in turn.

    `command(receipt.command_id, wait_s=…)` tells whether it was applied or refused.

    Every command takes `by` (who sends it, for the record) and `command_id`. The same id again is
    the same command, so that a command can be repeated when its answer was lost; without one, the
    server generates an id.

    Raises:
        Conflict: too late: the run has ended, or the request was decided or answered; the text
            says by whom and when.
        NotFound: no such run, approval or question.
        InvalidRequest: a field is wrong; `error.field` names it.
        ConnectionLost: no answer came.
    """

    @abstractmethod
    def send(self, command: AnyCommand) -> Receipt:
        """Send a command from `relayline.contracts.commands`; the methods below call this."""

    def pause(self, *, now: bool = False, by: str = "", command_id: str = "") -> Receipt:
        """Stop before the next model or tool call; with `now`, interrupt what runs, too."""
        return self.send(Pause(now=now, by=by, command_id=command_id))

    def resume(self, *, by: str = "", command_id: str = "") -> Receipt:
        """Continue after a pause."""
        return self.send(Resume(by=by, command_id=command_id))

    def redirect(
        self, message: Said, *, now: bool = True, by: str = "", command_id: str = ""
    ) -> Receipt:
        """Tell the model something, as in `message`; with `now=False`, after the current step."""
        text, parts = parts_of(message)
        how = {"now": now, "by": by, "command_id": command_id}
        return self.send(Redirect(message=text, parts=parts, **how))

    def cancel(
        self,
        reason: str = "",
        *,
        scope: CancelScope | str = CancelScope.RUN,
        by: str = "",
        command_id: str = "",
    ) -> Receipt:
        """End the run as `cancelled`; with the scope `turn`, only the turn of a conversation."""
        return self.send(Cancel(reason=reason, scope=scope, by=by, command_id=command_id))

    def message(
        self,
        content: Said,
        *,
        if_busy: IfBusy | str = IfBusy.QUEUE,
        agent: str | None = None,
        by: str = "",
        command_id: str = "",
    ) -> Receipt:
        """Begin the next turn of a conversation; `stream(turn_of=receipt.command_id)` shows it.

        The content is a text, or texts and parts (`image_part`, `file_part`) in their order.

        While a turn runs, the message waits for it, or interrupts it (`redirect`), or is refused
        (`reject`). With the agent `catalog`, the conversation has its agent as it is today, from
        that turn on.
        """
        text, parts = parts_of(content)
        how = {"if_busy": if_busy, "by": by, "command_id": command_id}
        return self.send(SendMessage(content=text, parts=parts, agent=agent, **how))

    def close(self, *, by: str = "", command_id: str = "") -> Receipt:
        """Close a conversation: it ends as `completed` when its turn is over."""
        return self.send(Close(by=by, command_id=command_id))

    def approve(
        self,
        approval_id: str,
        *,
        arguments: Mapping[str, JsonValue] | None = None,
        note: str = "",
        by: str = "",
        command_id: str = "",
    ) -> Receipt:
        """Approve a tool call, with `arguments` in place of the model's if given."""
        decision = Decide(
            approval_id=approval_id,
            decision=Decision.APPROVE,
            arguments=None if arguments is None else dict(arguments),
            note=note,
            by=by,
            command_id=command_id,
        )
        return self.send(decision)

    def deny(
        self, approval_id: str, *, note: str = "", by: str = "", command_id: str = ""
    ) -> Receipt:
        """Deny a tool call; the model sees the note."""
        decision = Decide(
            approval_id=approval_id,
            decision=Decision.DENY,
            note=note,
            by=by,
            command_id=command_id,
        )
        return self.send(decision)

    def answer(self, request_id: str, text: str, *, by: str = "", command_id: str = "") -> Receipt:
        """Answer a question that the run has asked."""
        return self.send(Answer(request_id=request_id, text=text, by=by, command_id=command_id))
