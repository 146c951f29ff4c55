"""Sends commands to runs: each has an id, is sent once, and gets a receipt."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple, NoReturn

from pydantic import JsonValue

from relayline.api.command_bodies import CommandRequest
from relayline.api.commands.capacity import check_capacity
from relayline.api.commands.today import NOT_SAID, AgentsOfToday
from relayline.api.errors import (
    AlreadyEnded,
    Conflict,
    InvalidField,
    TemporalUnavailable,
    UnknownRun,
)
from relayline.api.runs.owners import seen_by
from relayline.api.runs.starts import PendingStarts
from relayline.api.runs.views import Views
from relayline.api.temporal.gateway import Gateway
from relayline.contracts.access.proofs import CommandProofs
from relayline.contracts.command_answers import CommandReceipt
from relayline.contracts.commands import AnyCommand, CommandKind, Saying, SendMessage, complaint
from relayline.contracts.events import CommandAccepted, CommandApplied, CommandRefused
from relayline.contracts.keys import accepted_key, outcome_key
from relayline.contracts.principals import ANYBODY, Principal
from relayline.journal.port import Journal
from relayline.journal.table import Tenant

MAX_SENT = 10_000


class SentCommand(NamedTuple):
    """A command that was sent before."""

    kind: CommandKind
    digest: str
    """SHA-256 of the whole command."""

    @classmethod
    def of(cls, command: AnyCommand) -> SentCommand:
        """The part of a command that tells a repetition from another command.

        With another API key of the same name it is the same command, as is one that asks for the
        agent of another day. Of a file only its id counts.
        """
        said = command.model_dump_json(exclude=NOT_SAID)
        return cls(command.kind, hashlib.sha256(said.encode()).hexdigest())


class SentCommands:
    """The newest 10,000 commands sent by this process; only saves asking Temporal.

    Another process, or this one after a restart, finds a command in the journal once the run has
    read it (`command.accepted`), which needs a worker; until then it finds it in Temporal.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], SentCommand] = OrderedDict()

    def add(self, run_id: str, command: AnyCommand) -> None:
        """Remember a command; drop the oldest when there are too many."""
        self._sent[run_id, command.command_id] = SentCommand.of(command)
        if len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)

    def get(self, run_id: str, command_id: str) -> SentCommand | None:
        """The command, None if this process does not remember it."""
        return self._sent.get((run_id, command_id))


class OutgoingCommand(NamedTuple):
    """A command to send to a run."""

    run_id: str
    command: AnyCommand
    named: bool
    """True when the sender gave an id or a key: only then can it be a repetition."""
    chosen: bool
    """True when the sender gave the id itself, which may be that of another kind of command."""
    tenant: Tenant
    """Whose runs the sender may see."""

    @classmethod
    def of(
        cls,
        run_id: str,
        model: type[AnyCommand],
        asked: CommandRequest,
        key: str | None,
        sender: Principal = ANYBODY,
        **target: str,
    ) -> OutgoingCommand:
        """The command that the request asks for.

        Args:
            run_id: The run it goes to.
            model: The command's type; its fields are those of the request.
            asked: The request.
            key: The `Idempotency-Key`.
            sender: Who asks.
            target: What the command acts on; the same key for another target is another command.

        Raises:
            InvalidField: both an id and a key were given, or no run could apply the command.
        """
        if key is not None and asked.command_id is not None:
            raise InvalidField(
                "command_id: give it or the header Idempotency-Key, not both", field="command_id"
            )
        command_id = asked.command_id or _command_id(model.kind, key, *target.values())
        by, on_behalf_of = sender.speaks_as(asked.by)
        sent = {"command_id": command_id, "by": by, "on_behalf_of": on_behalf_of}
        fields = {**asked.fields(), **target, **sent, "key_id": sender.key_id or ""}
        command = model.model_validate(fields)
        if wrong := complaint(command):
            raise InvalidField(wrong, field=wrong.partition(":")[0])
        chosen = asked.command_id is not None
        named, tenant = chosen or key is not None, seen_by(sender)
        return cls(run_id, command, named=named, chosen=chosen, tenant=tenant)


class CommandSender:
    """Sends each command once, however often it is requested, and from whichever process."""

    def __init__(  # noqa: PLR0913, PLR0917  its parts
        self,
        journal: Journal,
        gateway: Gateway,
        views: Views,
        sent: SentCommands,
        starts: PendingStarts,
        proofs: CommandProofs,
        agents: AgentsOfToday,
    ) -> None:
        self._agents = agents
        self._proofs = proofs
        self._journal = journal
        self._starts = starts
        self._gateway = gateway
        self._views = views
        self._sent = sent

    async def send(
        self,
        run_id: str,
        model: type[AnyCommand],
        asked: CommandRequest,
        key: str | None,
        sender: Principal = ANYBODY,
    ) -> CommandReceipt:
        """Send the command that the request asks for.

        Raises:
            ApiError: as `OutgoingCommand.of` and `deliver`.
        """
        return await self.deliver(OutgoingCommand.of(run_id, model, asked, key, sender))

    async def deliver(
        self, outgoing: OutgoingCommand, check: Callable[[], Awaitable[None]] | None = None
    ) -> CommandReceipt:
        """Signal the run, unless the command was sent before; returns its receipt either way.

        Args:
            outgoing: The command.
            check: Raises if the run can't accept this command.

        Raises:
            InvalidField: its id or key is that of another command, or it asks for an agent that is
                no longer in the catalog.
            AlreadyEnded: the run has ended.
            UnknownRun: nobody knows it.
            TooManyCommands: one more might fill up its history.
            TemporalUnavailable: the signal may not have been accepted; send it again with its id.
        """
        receipt = CommandReceipt(command_id=outgoing.command.command_id)
        if await self._came_before(outgoing, ask_temporal=outgoing.chosen):
            return receipt
        try:
            if check:
                await check()
            await self._signal(outgoing)
        except Conflict:
            if not await self._came_before(outgoing, ask_temporal=True):  # perhaps just now
                raise
        return receipt

    async def refuse(self, outgoing: OutgoingCommand) -> NoReturn:
        """Explain why a run that is not open in Temporal accepts no command.

        Raises:
            AlreadyEnded: it has ended; `run_status` is a member, and of a message `fork`, the body
                of the fork that continues the run with it.
            UnknownRun: nobody knows it.
        """
        run_id = outgoing.run_id
        view = await self._views.find(outgoing.tenant, run_id)
        if not view.status.ended:
            raise UnknownRun(run_id)
        left = f"nothing is left to {outgoing.command.kind.value}"
        members: dict[str, JsonValue] = {"run_id": run_id, "run_status": view.status.value}
        if isinstance(outgoing.command, SendMessage):
            left = f"continue it as another run: POST /v1/runs/{run_id}/fork with the body `fork`"
            agent = {"agent": outgoing.command.agent} if outgoing.command.agent else {}
            text, parts = outgoing.command.said
            members["fork"] = {"message": [it.model_dump() for it in parts] or text, **agent}
        said = f"{run_id} has ended as {view.status.value}: {left}"
        raise AlreadyEnded(said, slug=None, **members)

    async def _came_before(self, outgoing: OutgoingCommand, *, ask_temporal: bool) -> bool:
        """True when this very command was sent before.

        Args:
            outgoing: The command.
            ask_temporal: Also look for one that another process sent and the run has not read.

        Raises:
            InvalidField: its id or key belongs to another command, if that is still known.
            JournalUnavailable: the journal can't be asked.
        """
        run_id, command = outgoing.run_id, outgoing.command
        if not outgoing.named:
            return False
        earlier = self._sent.get(run_id, command.command_id)
        kind = earlier.kind if earlier else None
        kind = kind or await self._journaled_kind(outgoing)
        if earlier is None and (kind or ask_temporal):
            with contextlib.suppress(
                TemporalUnavailable
            ):  # then the signal, or the journal, decides
                received = await self._gateway.received(run_id, command.command_id)
                earlier = SentCommand.of(received) if received else None
        if earlier:
            kind = earlier.kind
        if kind not in {None, command.kind} or (earlier and earlier != SentCommand.of(command)):
            raise _reused(outgoing, kind)
        return kind is not None

    async def _journaled_kind(self, outgoing: OutgoingCommand) -> CommandKind | None:
        """The kind of a command that the run has read, None if it has not.

        Raises:
            JournalUnavailable: the journal can't be asked.
        """
        command_id = outgoing.command.command_id
        for key in (accepted_key(command_id), outcome_key(command_id)):
            fact = await self._journal.get(outgoing.tenant, outgoing.run_id, key)
            body = fact.body() if fact else None
            if isinstance(body, CommandAccepted | CommandApplied | CommandRefused):
                return body.kind
        return None

    async def _signal(self, outgoing: OutgoingCommand) -> None:
        run_id, command = outgoing.run_id, outgoing.command
        head = await self._journal.head(outgoing.tenant, run_id)
        execution = None if head and head.ended else await self._gateway.execution(run_id)
        if execution is None and head and await self._starts.start(outgoing.tenant, run_id):
            execution = await self._gateway.execution(run_id)
        if execution is None or execution.status.ended:
            await self.refuse(outgoing)
        check_capacity(command.kind, execution)
        if isinstance(command, Saying):
            command = await self._agents.given(outgoing.tenant, run_id, command)
        proof = self._proofs.sign(run_id, command)
        if not await self._gateway.signal(run_id, command, proof):
            await self.refuse(outgoing)
        self._sent.add(run_id, command)


def _reused(outgoing: OutgoingCommand, kind: CommandKind | None) -> InvalidField:
    """The error for an id, or a key, that belongs to another command."""
    had = f"a {kind} that {outgoing.run_id} has had, and that said something else"
    if kind is not outgoing.command.kind:
        had = f"a {kind} that {outgoing.run_id} has had"
    if outgoing.chosen:
        said = f"command_id: {outgoing.command.command_id!r} is the id of {had}"
        return InvalidField(said, slug="command-id-reused", field="command_id")
    return InvalidField(
        f"Idempotency-Key: it was that of {had}; use a new key",
        slug="idempotency-key-reused",
        field="Idempotency-Key",
    )


def _command_id(kind: CommandKind, key: str | None, *target: str) -> str:
    """Derived from the key if there is one, so that a repeated request is one command."""
    if key is None:
        return f"cmd_{secrets.token_hex(16)}"
    named = ":".join((kind.value, *target, key))
    return f"cmd_{hashlib.sha256(named.encode()).hexdigest()[:32]}"
