"""Cursors of the lists of receivers and of deliveries: a time and an id."""

from __future__ import annotations

import re

from relayline.api.signing.cursors import Cursors, ListOf
from relayline.journal.webhooks import Place


def place_of(
    cursors: Cursors, of: ListOf, cursor: str | None, pattern: re.Pattern[str]
) -> Place | None:
    """The place after which a page begins; None: at the newest.

    Raises:
        BadRequest: it is not a cursor of this list.
    """
    if cursor is None:
        return None
    created_us, id_ = cursors.decode(of, cursor, pattern)
    return Place(int(created_us), id_)
