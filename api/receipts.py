"""Commands that this process has sent lately: known before the run has journaled them."""

from __future__ import annotations

from collections import OrderedDict

from contracts.commands import CommandKind

MAX_SENT = 10_000


class SentCommands:
    """The newest 10,000 commands sent by this process.

    Another process, or this one after a restart, knows a command only once the run has taken note
    of it (`command.accepted` in the journal), which needs a worker.
    """

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[str, str], CommandKind] = OrderedDict()

    def add(self, run_id: str, command_id: str, kind: CommandKind) -> None:
        """Remember a command; the oldest is forgotten when there are too many."""
        self._sent[run_id, command_id] = kind
        if len(self._sent) > MAX_SENT:
            self._sent.popitem(last=False)

    def kind(self, run_id: str, command_id: str) -> CommandKind | None:
        """The command's kind, None if this process does not remember it."""
        return self._sent.get((run_id, command_id))
