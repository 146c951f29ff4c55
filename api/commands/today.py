"""Completes messages: with the agent of today if they ask for it, and what is known of files."""

from __future__ import annotations

from typing import Any

from relayline.api.runs.files.given_parts import GivenParts
from relayline.api.runs.validation import RunValidator
from relayline.contracts.commands import Saying, SendMessage
from relayline.journal.table import Storage, Tenant

NOT_SAID: dict[str, Any] = {
    **dict.fromkeys(("key_id", "spec", "specs"), True),
    "parts": {"__all__": {"name", "media_type", "size", "sha256"}},
}
"""Fields of a command that its sender did not give."""


class AgentsOfToday:
    """Finds the agents of runs in the catalog, and the files of messages."""

    def __init__(self, storage: Storage, validator: RunValidator, parts: GivenParts) -> None:
        self._storage = storage
        self._validator = validator
        self._parts = parts

    async def given(self, tenant: Tenant, run_id: str, command: Saying) -> Saying:
        """The message with the agent of today, if it asks for that, and with those that it may ask.

        Its files live as long as the run from then on.

        Raises:
            InvalidField: the catalog has no agent of that name any more, or its limit of cost has
                no known price to be held against; or there is no such file, or the model does not
                take it.
            JournalUnavailable: the journal can't tell the agent's name, or of files.
        """
        if isinstance(command, SendMessage) and command.agent:
            listed = await self._storage.listed(tenant, run_id)
            name = (listed.row.agent if listed else None) or ""
            await self._validator.fresh(name)
            agent = self._validator.changed(self._validator.agent(name))
            specs = self._validator.asked_by(agent)
            command = command.model_copy(update={"spec": agent, "specs": specs})
        return await self._parts.of_message(tenant, run_id, command)
