"""Gives messages that ask for it the run's agent as it is in the catalog today."""

from __future__ import annotations

from relayline.api.runs.validation import RunValidator
from relayline.contracts.commands import SendMessage
from relayline.journal.table import Storage, Tenant


class AgentsOfToday:
    """Finds the agents of runs in the catalog."""

    def __init__(self, storage: Storage, validator: RunValidator) -> None:
        self._storage = storage
        self._validator = validator

    async def given(self, tenant: Tenant, run_id: str, command: SendMessage) -> SendMessage:
        """The message with the agent of today, and with those that it may ask.

        Raises:
            InvalidField: the catalog has no agent of that name any more, or its limit of cost has
                no known price to be held against.
            JournalUnavailable: the journal can't tell the agent's name.
        """
        listed = await self._storage.listed(tenant, run_id)
        name = (listed.row.agent if listed else None) or ""
        agent = self._validator.changed(self._validator.agent(name))
        specs = self._validator.asked_by(agent)
        return command.model_copy(update={"spec": agent, "specs": specs})
