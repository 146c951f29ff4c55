"""The Temporal that is configured, which `relayline dev` uses instead of its own."""

from __future__ import annotations

from relayline.dev.options import DevError
from relayline.runtime.payloads.ring import NO_KEYS
from relayline.runtime.temporal import TemporalUnreachable, configured_address, connect

CONNECT_BOUND_S = 5.0


def configured_temporal() -> str | None:
    """The address of the configured Temporal, None if we start our own.

    Raises:
        DevError: Temporal's configuration can't be read.
    """
    try:
        return configured_address()
    except TemporalUnreachable as error:
        raise DevError(str(error)) from error


async def check_temporal() -> None:
    """Check that the configured Temporal answers.

    Raises:
        DevError: it did not answer within `CONNECT_BOUND_S`.
    """
    try:
        await connect(NO_KEYS, timeout_s=CONNECT_BOUND_S)
    except TemporalUnreachable as error:
        raise DevError(
            f"{error} Without a configured address, `relayline dev` starts its own."
        ) from error
