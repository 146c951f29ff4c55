"""How every process connects to Temporal."""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import RPCError


class TemporalUnreachable(Exception):
    """No Temporal answered at the address; the message names it and says what to do."""


def configured_address() -> str | None:
    """The address that the environment or a Temporal profile names, None if neither does."""
    return ClientConfig.load_client_connect_config().get("target_host")


async def connect(*, timeout_s: float = 10, lazy: bool = False) -> Client:
    """Connect as `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, TLS settings and profiles say.

    Args:
        timeout_s: How long to try.
        lazy: Return at once and connect with the first call; for processes that serve without
            Temporal, too.

    Raises:
        TemporalUnreachable: no address is configured, or nobody answered there in time.
    """
    config = ClientConfig.load_client_connect_config()
    address = config.get("target_host")
    if not address:
        raise TemporalUnreachable(
            "no Temporal address: set TEMPORAL_ADDRESS (or a profile), or use `relayline dev`"
        )
    try:
        async with asyncio.timeout(timeout_s):
            return await Client.connect(**config, lazy=lazy, data_converter=pydantic_data_converter)
    except (RuntimeError, RPCError, TimeoutError) as error:
        raise TemporalUnreachable(
            f"Temporal at {address!r} did not answer: is it running, and is TEMPORAL_ADDRESS right?"
        ) from error
