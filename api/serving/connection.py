"""The ASGI extension through which a response watches and drops its own connection."""

from __future__ import annotations

CONNECTION = "relayline.connection"
"""Name of the extension. It has three functions: `abort` drops the connection and everything queued
for it, `queued` returns the number of bytes queued, `write` sends a piece of a body at once, or
returns False if that would have to wait."""
