"""Commands: signal payloads that tell a run what to do.

Every field has a default, because people also type signals into the Temporal UI and CLI: a run
accepts any payload, and refuses one that is incomplete, too long or no command, with a reason.
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, TypeVar

from pydantic import Field, JsonValue, ValidationError

from relayline.contracts.files.parts import MAX_PARTS, Part, TextPart
from relayline.contracts.frozen import Frozen
from relayline.contracts.runs.spec import AgentSpec

MAX_TEXT_BYTES = 32 * 1024
"""Limit in UTF-8 bytes for each of message, text, arguments as JSON, note and reason."""
MAX_ID_CHARS = 128
MAX_BY_CHARS = 200


class CommandKind(StrEnum):
    """The kind of a command; also the name of its signal."""

    PAUSE = "pause"
    RESUME = "resume"
    REDIRECT = "redirect"
    CANCEL = "cancel"
    DECIDE = "decide"
    ANSWER = "answer"
    MESSAGE = "message"
    CLOSE = "close"


MOVE_SIGNAL = "move"
"""The signal, no command, on which an idle run continues as new on the build of new runs."""


class Decision(StrEnum):
    """How a person decides an approval."""

    APPROVE = "approve"
    DENY = "deny"


class IfBusy(StrEnum):
    """What an open run does with a message that comes while a turn runs."""

    QUEUE = "queue"
    """Answer it in a turn of its own, after those that wait already."""
    REDIRECT = "redirect"
    """Interrupt running calls and answer it in this turn, as a redirect does."""
    REJECT = "reject"
    """Refuse it."""


CATALOG = "catalog"
"""What a message says of the agent to have that of today."""


class CancelScope(StrEnum):
    """How much a cancel ends."""

    TURN = "turn"
    """The turn; an open run is idle then. Any other run ends."""
    RUN = "run"


class Command(Frozen):
    """The fields of every command."""

    kind: ClassVar[CommandKind]
    command_id: str = ""
    """Id for the receipt and for deduplication. Empty: the run generates one."""
    by: str = ""
    """Who sent it: with authentication on, as the credentials say; else in the sender's words."""
    on_behalf_of: str = Field(default="", exclude_if=operator.not_)
    """With authentication on: for whom, in the sender's words, which prove nothing."""
    unreadable: str = Field(default="", exclude=True)
    """What is wrong with a payload that could not be read; never sent."""
    proof: str = Field(default="", exclude=True)
    """What proves who sent it, as `contracts.access.proofs.carried` writes it; the run sets it from
    the signal's header."""
    verified: bool = Field(default=True, exclude=True)
    """False if a proof is missing where one is needed; the run sets it."""


class Pause(Command):
    """Stop before the next model or tool call."""

    kind: ClassVar = CommandKind.PAUSE
    now: bool = False
    """Also interrupt running calls; tools with unsafe effects may finish."""


class Resume(Command):
    """Continue after a pause."""

    kind: ClassVar = CommandKind.RESUME


class Redirect(Command):
    """Send the model a message; its next call includes it."""

    kind: ClassVar = CommandKind.REDIRECT
    message: str = ""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All of it, if it is more than a text."""
    now: bool = True
    """Interrupt running calls, except unsafe tools; False: wait for the end of the step."""

    @property
    def said(self) -> tuple[str, tuple[Part, ...]]:
        """Text and parts of the message."""
        return self.message, self.parts


class Cancel(Command):
    """End the run as `cancelled`, or only the turn of an open one."""

    kind: ClassVar = CommandKind.CANCEL
    reason: str = ""
    scope: str = Field(
        default=CancelScope.RUN.value, exclude_if=lambda scope: scope == CancelScope.RUN
    )
    """One of `CancelScope`."""


class Decide(Command):
    """Approve or deny a request for approval."""

    kind: ClassVar = CommandKind.DECIDE
    approval_id: str = ""
    decision: str = ""
    """One of `Decision`."""
    arguments: dict[str, JsonValue] | None = None
    """Used instead of the model's; only with `approve`."""
    note: str = ""
    """A remark for the model and for the record."""
    key_id: str = Field(default="", exclude_if=operator.not_)
    """The API key of who decides, where one was used."""


class Answer(Command):
    """Answer a question of the run."""

    kind: ClassVar = CommandKind.ANSWER
    request_id: str = ""
    text: str = ""


class SendMessage(Command):
    """A message to an open run; it begins the next turn."""

    kind: ClassVar = CommandKind.MESSAGE
    content: str = ""
    parts: tuple[Part, ...] = Field(default=(), exclude_if=operator.not_)
    """All of it, if it is more than a text."""
    if_busy: str = IfBusy.QUEUE.value
    """One of `IfBusy`."""
    agent: str | None = Field(default=None, exclude_if=operator.not_)
    """`CATALOG`: from its turn on, the run has the agent as it is today. None: the one it has."""
    spec: AgentSpec | None = Field(default=None, exclude_if=lambda spec: spec is None)
    """That agent; the API sets it."""
    specs: dict[str, AgentSpec] = Field(default_factory=dict, exclude_if=operator.not_)
    """The agents that it may ask, and those that these may ask, by name."""

    @property
    def said(self) -> tuple[str, tuple[Part, ...]]:
        """Text and parts of the message."""
        return self.content, self.parts


class Close(Command):
    """End an open run as `completed` when its turn is over, and those of messages that wait."""

    kind: ClassVar = CommandKind.CLOSE


Saying = Redirect | SendMessage
"""What tells the model something."""
AnyCommand = Pause | Resume | Redirect | Cancel | Decide | Answer | SendMessage | Close
_C = TypeVar("_C", bound=Command)


def read_command(kind: type[_C], payloads: Sequence[object]) -> _C:
    """The command in a signal's payloads, whatever they are.

    Args:
        kind: The type of command that the signal's name stands for.
        payloads: As decoded from JSON; none, or null, means a command with all defaults.

    Returns:
        The command. If its fields are invalid, it has the id, the sender and `unreadable`.
    """
    match [payload for payload in payloads if payload is not None]:
        case []:
            return kind()
        case [dict() as payload]:
            try:
                return kind.model_validate(payload)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                field = ".".join(map(str, first["loc"]))[:MAX_ID_CHARS]
                known = {it: payload.get(it) for it in ("command_id", "by", "on_behalf_of")}
                kept = {name: value for name, value in known.items() if isinstance(value, str)}
                return kind.model_validate({**kept, "unreadable": f"{field}: {first['msg']}"})
        case _:
            return kind(unreadable="payload: must be a JSON object")


def generated_id(unusable: str) -> str:
    """A valid id in place of one that no journal can store; deterministic."""
    return f"cmd_{hashlib.sha256(unusable.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def complaint(command: AnyCommand) -> str | None:
    """Why no run can act on this command, with the field; None if it is valid."""
    if command.unreadable:
        return command.unreadable
    missing = _missing(command)
    if missing:
        return f"{missing}: is missing"
    if wrong := _wrong(command):
        return wrong
    for name, value in _texts(command).items():
        if len(value.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
            return f"{name}: at most {MAX_TEXT_BYTES} bytes"
    return None


def _wrong(command: AnyCommand) -> str | None:
    match command:
        case Decide(decision=decision) if decision not in list(Decision):
            return f"decision: is {decision[:50]!r}, not `approve` or `deny`"
        case Decide(decision=decision) if decision != Decision.APPROVE:
            return None if command.arguments is None else "arguments: only with `approve`"
        case Cancel(scope=scope) if scope not in list(CancelScope):
            return f"scope: is {scope[:50]!r}, not `turn` or `run`"
        case Redirect(parts=parts) | SendMessage(parts=parts) if len(parts) > MAX_PARTS:
            return f"parts: at most {MAX_PARTS}"
        case SendMessage():
            return _wrong_message(command)
        case _:
            return None


def _wrong_message(command: SendMessage) -> str | None:
    if_busy, agent = command.if_busy, command.agent
    if if_busy not in list(IfBusy):
        return f"if_busy: is {if_busy[:50]!r}, not `queue`, `redirect` or `reject`"
    if agent not in {None, CATALOG}:
        return f"agent: is {str(agent)[:50]!r}, not `{CATALOG}`"
    if agent and if_busy == IfBusy.REDIRECT:
        return "agent: not with `redirect`: a turn keeps the agent with which it began"
    return None


def _missing(command: AnyCommand) -> str | None:
    """The required field that is empty, None if there is none."""
    match command:
        case Redirect(message=text) if not text.strip():
            return "message"
        case SendMessage(content=text) if not text.strip():
            return "content"
        case Decide(approval_id=""):
            return "approval_id"
        case Answer(request_id=""):
            return "request_id"
        case _:
            return None


def _texts(command: AnyCommand) -> dict[str, str]:
    match command:
        case Cancel():
            return {"reason": command.reason}
        case Decide():
            edited = json.dumps(command.arguments, ensure_ascii=False)
            return {"note": command.note, "arguments": edited}
        case Answer():
            return {"text": command.text}
        case Redirect(message=text, parts=parts) | SendMessage(content=text, parts=parts):
            name = "message" if isinstance(command, Redirect) else "content"
            texts = (part.text for part in parts if isinstance(part, TextPart))
            return {name: text, "parts": "".join(texts)}
        case _:
            return {}
