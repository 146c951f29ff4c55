"""Calls to Temporal with a deadline, and with the API's own errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from temporalio.service import RPCError, RPCStatusCode

from relayline.api.errors import TemporalUnavailable
from relayline.runtime.payloads.ring import PayloadUnreadable
from relayline.runtime.temporal import connection_failure

_CONNECT_FAILED = "Failed client connect"
_TOO_LATE = "Temporal did not answer in time; try again"
_T = TypeVar("_T")


class UnreadablePayload(TemporalUnavailable):
    """Temporal has answered, but this process can't decrypt what it stores."""

    slug = "payload-unreadable"
    title = "What Temporal stores can't be decrypted"


@contextmanager
def decrypting() -> Iterator[None]:
    """Around what decodes payloads.

    Raises:
        UnreadablePayload: a key is missing; the detail names it.
    """
    try:
        yield
    except PayloadUnreadable as error:
        raise UnreadablePayload(str(error)) from error


async def with_deadline(seconds: float, call: Awaitable[_T]) -> _T:
    """The call's answer. Bounded here because the client's retries may outlast its `rpc_timeout`.

    Raises:
        TemporalUnavailable: no answer in time, or an error other than these two; also
            `UnreadablePayload`.
        RPCError: Temporal answered `not found` or `invalid argument`.
    """
    try:
        with decrypting():
            async with asyncio.timeout(seconds + 0.5):
                return await call
    except TimeoutError as error:
        raise TemporalUnavailable(_TOO_LATE) from error
    except RPCError as error:
        if error.status in {RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT}:
            raise
        late = error.status in {RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED}
        message = _TOO_LATE if late else f"Temporal answered {error.status.name}; try again"
        raise TemporalUnavailable(message) from error
    except RuntimeError as error:
        if not str(error).startswith(_CONNECT_FAILED):
            raise
        why = connection_failure(error)
        message = (
            f"Temporal can't be reached: {why}" if why else "Temporal can't be reached; try again"
        )
        raise TemporalUnavailable(message) from error
