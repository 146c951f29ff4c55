"""Signal payloads: what a person or a program tells a run to do.

Every field has a default, and a run takes what anybody types into the Temporal UI or CLI: what is
missing, too long or no command at all is refused by the run, with a reason, and not dropped unseen.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, TypeVar

from pydantic import Field, JsonValue, ValidationError

from relayline.contracts.frozen import Frozen

MAX_TEXT_BYTES = 32 * 1024
"""UTF-8 bytes of what one command says: message, text, arguments as JSON, note or reason."""
MAX_ID_CHARS = 128
MAX_BY_CHARS = 200


class CommandKind(StrEnum):
    """The name of the signal, too."""

    PAUSE = "pause"
    RESUME = "resume"
    REDIRECT = "redirect"
    CANCEL = "cancel"
    DECIDE = "decide"
    ANSWER = "answer"


class Decision(StrEnum):
    """What a person makes of an approval."""

    APPROVE = "approve"
    DENY = "deny"


class Command(Frozen):
    """What every command carries."""

    kind: ClassVar[CommandKind]
    command_id: str = ""
    """The receipt's id; the same id twice is one command. Empty: the run makes one up."""
    by: str = ""
    """Who sent it, as far as the sender said."""
    unreadable: str = Field(default="", exclude=True)
    """What is wrong with the signal's payload, when nobody can read it; never sent."""


class Pause(Command):
    """Stop before the next model or tool call."""

    kind: ClassVar = CommandKind.PAUSE
    now: bool = False
    """Interrupt what runs, too; tools with unsafe effects are let finish."""


class Resume(Command):
    """Go on after a pause."""

    kind: ClassVar = CommandKind.RESUME


class Redirect(Command):
    """Tell the model something; its next call has it."""

    kind: ClassVar = CommandKind.REDIRECT
    message: str = ""
    now: bool = True
    """Interrupt what runs, but let tools with unsafe effects finish; False: wait for the step."""


class Cancel(Command):
    """End the run as `cancelled`."""

    kind: ClassVar = CommandKind.CANCEL
    reason: str = ""


class Decide(Command):
    """Approve or deny what waits for approval."""

    kind: ClassVar = CommandKind.DECIDE
    approval_id: str = ""
    decision: str = ""
    """One of `Decision`."""
    arguments: dict[str, JsonValue] | None = None
    """In place of the model's; only with `approve`."""
    note: str = ""
    """For the model and the record."""


class Answer(Command):
    """Answer a question that the run has asked."""

    kind: ClassVar = CommandKind.ANSWER
    request_id: str = ""
    text: str = ""


AnyCommand = Pause | Resume | Redirect | Cancel | Decide | Answer
_C = TypeVar("_C", bound=Command)


def read_command(kind: type[_C], payloads: Sequence[object]) -> _C:
    """The command that a signal's payloads mean, whatever they are.

    Args:
        kind: The command that the signal's name means.
        payloads: As decoded from JSON; none, or null, is a command with nothing but defaults.

    Returns:
        The command; one that can't be read keeps its id and sender and says so in `unreadable`.
    """
    match [payload for payload in payloads if payload is not None]:
        case []:
            return kind()
        case [dict() as said]:
            try:
                return kind.model_validate(said)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                field = ".".join(map(str, first["loc"]))[:MAX_ID_CHARS]
                known = {it: said.get(it) for it in ("command_id", "by")}
                kept = {name: value for name, value in known.items() if isinstance(value, str)}
                return kind.model_validate({**kept, "unreadable": f"{field}: {first['msg']}"})
        case _:
            return kind(unreadable="payload: is to be one JSON object")


def generated_id(unusable: str) -> str:
    """In place of an id that no journal can hold; the same for the same one."""
    return f"cmd_{hashlib.sha256(unusable.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def complaint(command: AnyCommand) -> str | None:
    """Why no run can act on this command, naming the field; None if it is in order."""
    if command.unreadable:
        return command.unreadable
    missing = _missing(command)
    if missing:
        return f"{missing}: is missing"
    if isinstance(command, Decide) and (wrong := _wrong(command)):
        return wrong
    for name, value in _texts(command).items():
        if len(value.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            return f"{name}: at most {MAX_TEXT_BYTES} bytes"
    return None


def _wrong(command: Decide) -> str | None:
    if command.decision not in list(Decision):
        return f"decision: is {command.decision[:50]!r}, not `approve` or `deny`"
    if command.arguments is not None and command.decision != Decision.APPROVE:
        return "arguments: only with `approve`"
    return None


def _missing(command: AnyCommand) -> str | None:
    """The field that can't be empty and is."""
    match command:
        case Redirect(message=text) if not text.strip():
            return "message"
        case Decide(approval_id=""):
            return "approval_id"
        case Answer(request_id=""):
            return "request_id"
        case _:
            return None


def _texts(command: AnyCommand) -> dict[str, str]:
    match command:
        case Redirect():
            return {"message": command.message}
        case Cancel():
            return {"reason": command.reason}
        case Decide():
            edited = json.dumps(command.arguments, ensure_ascii=False)
            return {"note": command.note, "arguments": edited}
        case Answer():
            return {"text": command.text}
        case _:
            return {}
