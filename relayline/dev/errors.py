"""What can keep `relayline dev` from starting."""

from __future__ import annotations


class DevError(Exception):
    """`relayline dev` can't start; the message names the thing and says what to do."""
