"""A provider that falls silent, or that does not stop, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from relayline.activities.model.port import CallPart, ProviderError, TextPart
from relayline.activities.model.providers.factory import ProviderConfig, Providers, provider_for
from tests.activities.model.providers.asking import ask, calls_of, prompt
from tests.activities.model.providers.stand_in import StandIn

IDLE_S = 1.2
"""Longer than any pause of `slow-call`, shorter than the call; a busy machine pauses, too."""


@pytest.fixture
async def impatient(stand_in: StandIn) -> AsyncIterator[Providers]:
    """Providers that may be silent for a moment only; their library is loaded."""
    patient = provider_for(ProviderConfig(compatible_base_url=stand_in.url))
    await ask(patient("compatible:text"), prompt("hi"))
    await patient.aclose()
    made = provider_for(ProviderConfig(compatible_base_url=stand_in.url, idle_s=IDLE_S))
    yield made
    await made.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["hangs", "pings", "falls-silent"])
async def test_silence_is_a_failure_that_a_retry_may_help_and_hangs_up(
    impatient: Providers, stand_in: StandIn, model: str
) -> None:
    begin = asyncio.get_running_loop().time()
    with pytest.raises(ProviderError, match=r"said nothing for 1\.2 s") as caught:
        await ask(impatient(f"compatible:{model}"), prompt("hi"))
    took = asyncio.get_running_loop().time() - begin
    assert caught.value.retryable
    assert IDLE_S <= took < IDLE_S + 5
    await asyncio.wait_for(stand_in.hung_up.wait(), 5)


@pytest.mark.slow
async def test_a_tool_call_that_is_written_slowly_is_no_silence(impatient: Providers) -> None:
    parts = await ask(impatient("compatible:slow-call"), prompt("hi"))
    assert calls_of(parts) == [CallPart("read_file", {"path": "README.md"})]


@pytest.mark.slow
async def test_the_time_that_the_reader_takes_is_no_silence(impatient: Providers) -> None:
    async with aclosing(impatient("compatible:text").stream(prompt("hi"))) as parts:
        async for part in parts:
            if isinstance(part, TextPart):
                await asyncio.sleep(IDLE_S * 1.2)


@pytest.mark.slow
async def test_a_tool_call_without_end_is_a_failure_and_hangs_up(
    impatient: Providers, stand_in: StandIn
) -> None:
    with pytest.raises(ProviderError, match="no end of calls") as caught:
        await ask(impatient("compatible:writes"), prompt("hi"))
    assert caught.value.retryable
    await asyncio.wait_for(stand_in.hung_up.wait(), 5)
