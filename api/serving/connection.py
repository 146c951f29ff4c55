"""The ASGI extension by which a response sees and drops its own connection."""

from __future__ import annotations

CONNECTION = "relayline.connection"
"""Its name. It has two functions: `abort` drops the connection with all that is queued, `queued`
tells how many bytes that are."""
