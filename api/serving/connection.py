"""The ASGI extension through which a response watches and drops its own connection."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from relayline.api.serving.closed import CLOSED

CONNECTION = "relayline.connection"
"""Name of the extension. It has three functions: `abort` drops the connection and everything queued
for it, `queued` returns the number of bytes queued, `write` sends a piece of a body at once, or
returns False if that would have to wait."""


def write_now(cycle: RequestResponseCycle, piece: bytes) -> bool:
    """Send a piece of a chunked body; False if the client has not read what was sent before."""
    connection = cycle.transport
    open_ = cycle.response_started and not cycle.response_complete and not cycle.disconnected
    if not (open_ and cycle.chunked_encoding) or connection.is_closing():
        return False
    if cycle.flow.write_paused or connection.get_write_buffer_size():
        return False
    try:
        connection.write(b"%x\r\n%b\r\n" % (len(piece), piece))
    except RuntimeError as error:
        if not str(error).endswith(CLOSED):
            raise
        return False
    return True
