"""Stream tokens: what they prove, and until when."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relayline.api.auth.port import STREAM_PREFIX, Unauthenticated
from relayline.api.auth.stream_tokens import StreamTokens
from relayline.contracts.principals import Principal, Scope

RUN = "run_" + "1" * 32
ADA = Principal("ada", "acme", frozenset(Scope), "key", "key1")


async def holds(key_id: str) -> bool:
    return key_id == "key1"


@pytest.fixture
def tokens() -> StreamTokens:
    return StreamTokens([b"new" * 11, b"old" * 11], holds)


async def test_a_token_proves_who_took_it_and_reads_one_run(tokens: StreamTokens) -> None:
    issued = tokens.issue(ADA, RUN, 60)
    proved = await tokens.principal(issued.token)
    assert proved == Principal(
        "ada", "acme", frozenset({Scope.RUNS_READ}), "stream", "key1", issued.expires_at, RUN
    )
    left = issued.expires_at - datetime.now(UTC)
    assert timedelta(seconds=30) < left <= timedelta(seconds=61)


async def test_every_listed_secret_verifies_and_the_first_one_signs(tokens: StreamTokens) -> None:
    rotated = StreamTokens([b"newest" * 6, b"new" * 11], holds)
    assert await rotated.principal(tokens.issue(ADA, RUN, 60).token)
    with pytest.raises(Unauthenticated):
        await tokens.principal(rotated.issue(ADA, RUN, 60).token)


async def test_a_token_ends_with_its_key(tokens: StreamTokens) -> None:
    with pytest.raises(Unauthenticated):
        await tokens.principal(tokens.issue(replace(ADA, key_id="revoked"), RUN, 60).token)


async def test_a_token_ends_with_the_credentials_that_took_it(tokens: StreamTokens) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=20)
    of_a_token = replace(ADA, via="oidc", key_id=None, expires_at=soon)
    issued = tokens.issue(of_a_token, RUN, 3600)
    assert issued.expires_at == soon
    assert (await tokens.principal(issued.token)).expires_at == soon


async def test_an_expired_token_proves_nothing(tokens: StreamTokens) -> None:
    ended = replace(ADA, expires_at=datetime.fromtimestamp(time.time() - 1, UTC))
    with pytest.raises(Unauthenticated):
        await tokens.principal(tokens.issue(ended, RUN, 3600).token)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(place=st.integers(0, 10_000), char=st.sampled_from("AZaz09-_.=~ é\0"))
async def test_a_token_with_one_character_changed_proves_nothing(
    tokens: StreamTokens, place: int, char: str
) -> None:
    token = tokens.issue(ADA, RUN, 60).token
    at = len(STREAM_PREFIX) + place % (len(token) - len(STREAM_PREFIX) - 1)
    changed = token[:at] + char + token[at + 1 :]
    if changed != token:
        with pytest.raises(Unauthenticated):
            await tokens.principal(changed)


@pytest.mark.parametrize("text", ["", ".", "x.y", "é.é", "e30.e30", "x" * 5000])
async def test_a_malformed_token_proves_nothing(tokens: StreamTokens, text: str) -> None:
    with pytest.raises(Unauthenticated):
        await tokens.principal(STREAM_PREFIX + text)


async def test_without_a_secret_no_token_is_signed_or_accepted(tokens: StreamTokens) -> None:
    none = StreamTokens([], holds)
    assert not none.can_sign
    with pytest.raises(Unauthenticated):
        await none.principal(tokens.issue(ADA, RUN, 60).token)
