"""Sends commands: each gets an id, is sent once, and is answered with its receipt."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import NamedTuple, NoReturn, TypeVar

from starlette.responses import Response

from relayline.api.bodies import CommandRequest
from relayline.api.commands import capacity as flood
from relayline.api.commands.receipts import journaled_kind, taken
from relayline.api.depends import Services, json_response
from relayline.api.errors import (
    AlreadyEnded,
    Conflict,
    InvalidField,
    TemporalUnavailable,
    UnknownRun,
)
from relayline.contracts.answers import CommandReceipt
from relayline.contracts.commands import AnyCommand, CommandKind, complaint

_Command = TypeVar("_Command", bound=AnyCommand)


class Sending(NamedTuple):
    """A command on its way to a run."""

    run_id: str
    command: AnyCommand
    named: bool
    """True when the sender gave an id or a key: only then can the command have come before."""
    chosen: bool
    """True when the sender gave the id itself, which may be that of another kind of command."""

    @property
    def receipt(self) -> Response:
        """202 with the command's id."""
        return json_response(CommandReceipt(command_id=self.command.command_id), 202)


def sending(
    run_id: str, model: type[_Command], asked: CommandRequest, key: str | None, **target: str
) -> Sending:
    """The command that the request asks for.

    Args:
        run_id: The run it goes to.
        model: The command's type; its fields are those of the request.
        asked: The request.
        key: The `Idempotency-Key`.
        target: What the command acts on; the same key for another target is another command.

    Raises:
        InvalidField: an id and a key were given, or no run could act on the command.
    """
    if key is not None and asked.command_id is not None:
        raise InvalidField(
            "command_id: give it or the header Idempotency-Key, not both", field="command_id"
        )
    command_id = asked.command_id or _command_id(model.kind, key, *target.values())
    fields = {**asked.model_dump(), **target, "command_id": command_id}
    command = model.model_validate(fields)
    if wrong := complaint(command):
        raise InvalidField(wrong, field=wrong.partition(":")[0])
    chosen = asked.command_id is not None
    return Sending(run_id, command, named=chosen or key is not None, chosen=chosen)


async def send(
    services: Services, asked: Sending, check: Callable[[], Awaitable[None]] | None = None
) -> Response:
    """Signal the run, unless the command came before; 202 with its receipt either way.

    Args:
        services: What the routes work with.
        asked: The command.
        check: Raises if the run can't take this command.

    Raises:
        InvalidField: its id or key is that of another command.
        AlreadyEnded: the run has ended.
        UnknownRun: nobody knows it.
        TooManyCommands: it has had so many in this step that its history would fill up.
        TemporalUnavailable: the signal is not known to be accepted; send it again with its id.
    """
    if await _came_before(services, asked, ask_temporal=asked.chosen):
        return asked.receipt
    try:
        if check:
            await check()
        await _signal(services, asked)
    except Conflict:
        if not await _came_before(services, asked, ask_temporal=True):  # perhaps just now
            raise
    return asked.receipt


async def refuse(services: Services, asked: Sending) -> NoReturn:
    """Say why a run takes no command that is not open in Temporal.

    Raises:
        AlreadyEnded: it has ended; how, is a member.
        UnknownRun: nobody knows it.
    """
    view = await services.views.find(asked.run_id)
    if not view.status.ended:
        raise UnknownRun(asked.run_id)
    raise AlreadyEnded(
        f"{asked.run_id} has ended as {view.status.value}: "
        f"nothing is left to {asked.command.kind.value}",
        run_id=asked.run_id,
        run_status=view.status.value,
    )


async def _came_before(services: Services, asked: Sending, *, ask_temporal: bool) -> bool:
    """True when the run has had this very command, or somebody has sent it.

    Args:
        services: What the routes work with.
        asked: The command.
        ask_temporal: Look also for one that another process sent and the run has not noted.

    Raises:
        InvalidField: its id or key is that of another command, as far as that is known still.
        JournalUnavailable: the journal can't be asked.
    """
    run_id, command = asked.run_id, asked.command
    if not asked.named:
        return False
    earlier = services.sent.get(run_id, command.command_id)
    kind = earlier.kind if earlier else None
    kind = kind or await journaled_kind(services.journal, run_id, command.command_id)
    if earlier is None and (kind or ask_temporal):
        with contextlib.suppress(TemporalUnavailable):  # then a signal tells, or the journal's end
            had = await services.gateway.had(run_id, command.command_id)
            earlier = taken(had) if had else None
    if earlier:
        kind = earlier.kind
    if kind not in {None, command.kind} or (earlier and earlier != taken(command)):
        raise _reused(asked, kind)
    return kind is not None


def _reused(asked: Sending, kind: CommandKind | None) -> InvalidField:
    """The id, or the key that it was made from, belongs to another command."""
    had = f"a {kind} that {asked.run_id} has had, and that said something else"
    if kind is not asked.command.kind:
        had = f"a {kind} that {asked.run_id} has had"
    if asked.chosen:
        said = f"command_id: {asked.command.command_id!r} is the id of {had}"
        return InvalidField(said, slug="command-id-reused", field="command_id")
    return InvalidField(
        f"Idempotency-Key: it was that of {had}; take a new key",
        slug="idempotency-key-reused",
        field="Idempotency-Key",
    )


async def _signal(services: Services, asked: Sending) -> None:
    run_id, command = asked.run_id, asked.command
    head = await services.journal.head(run_id)
    execution = None if head and head.ended else await services.gateway.execution(run_id)
    if execution is None or execution.status.ended:
        await refuse(services, asked)
    flood.check(command.kind, execution)
    if not await services.gateway.signal(run_id, command):
        await refuse(services, asked)
    services.sent.add(run_id, command)


def _command_id(kind: CommandKind, key: str | None, *target: str) -> str:
    """Of the key if there is one, so that the run takes a repeated request for one command."""
    if key is None:
        return f"cmd_{secrets.token_hex(16)}"
    named = ":".join((kind.value, *target, key))
    return f"cmd_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
