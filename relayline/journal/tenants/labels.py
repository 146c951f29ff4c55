"""A label to find in the table of labels: as it is, and as keys have digested it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from relayline.journal.columns import CONVERSATION, indexed
from relayline.journal.tenants.data_key import DataKey

FOLLOWED = 8
"""Forms of a label that are each followed in the order of the list; more are sorted together."""
Where = tuple[str, list[object]]
"""A condition with its arguments."""


class Label(NamedTuple):
    """A label; a run that has it has one of these forms of it."""

    forms: tuple[tuple[str, str], ...]
    """As key and value."""

    def where(self, table: str = "") -> Where:
        """What an entry of the label must fulfil; `table` is its name, with a dot."""
        arguments: list[object] = [part for form in self.forms for part in form]
        if len(self.forms) == 1:
            return f"{table}key = ? AND {table}value = ?", arguments
        places = ", ".join(["(?, ?)"] * len(self.forms))
        return f"({table}key, {table}value) IN (VALUES {places})", arguments

    def followed(self, table: str) -> Sequence[Where]:
        """The same in parts that an index has in the order of the list, unless there are many."""
        if len(self.forms) > FOLLOWED:
            return [self.where(table)]
        return [Label((form,)).where(table) for form in self.forms]

    def held_by(self, run: str, labels: str) -> Where:
        """What a run must fulfil to have the label.

        Args:
            run: The name of a table with the columns `created_us` and `run_id`.
            labels: The table of labels.
        """
        where, arguments = self.where("l.")
        exists = (
            f"EXISTS (SELECT 1 FROM {labels} l WHERE {where}"  # noqa: S608  constants only
            f" AND l.created_us = {run}.created_us AND l.run_id = {run}.run_id)"
        )
        return exists, arguments


OF_CONVERSATIONS = Label((CONVERSATION,))
"""No tenant's key digests it: it tells nothing of a run's content."""


def label_of(key: str, value: str, keys: Sequence[DataKey]) -> Label:
    """The label, of tenants without a key and of those that have these."""
    return Label(((indexed(key), indexed(value)), *(it.label(key, value) for it in keys)))
