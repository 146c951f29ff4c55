"""The API key of a client: given, from the environment, or none; never told."""

from __future__ import annotations

import pytest

from relayline.client import AsyncClient, Client, InvalidArgument
from tests.client.both import Caller
from tests.client.stand_in import StandIn


async def sent(stand_in: StandIn, both: Caller, **options: object) -> str | None:
    stand_in.requests.clear()
    async with both.open(stand_in.url, **options) as client:
        await both.call(client.list)
    return stand_in.requests[0][2].get("authorization")


async def test_the_key_is_sent_with_every_request(
    stand_in: StandIn, both: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await sent(stand_in, both) is None
    assert await sent(stand_in, both, api_key=" given ") == "Bearer given"
    own = {"authorization": "Basic YTpi"}
    assert await sent(stand_in, both, headers=own) == "Basic YTpi"
    monkeypatch.setenv("RELAYLINE_API_KEY", "of-the-environment")
    assert await sent(stand_in, both) == "Bearer of-the-environment"
    assert await sent(stand_in, both, api_key="given") == "Bearer given"
    assert await sent(stand_in, both, api_key="") is None
    assert await sent(stand_in, both, headers=own) == "Basic YTpi"


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize("bad", ["a b", "a\nb", "schlüssel"])
def test_what_can_be_no_key_is_refused_and_not_quoted(
    kind: type[Client] | type[AsyncClient], bad: str
) -> None:
    with pytest.raises(InvalidArgument, match="API key") as refused:
        kind("http://127.0.0.1:1", api_key=bad)
    assert bad not in str(refused.value)


def test_a_client_does_not_show_its_key() -> None:
    with Client("http://127.0.0.1:1", api_key="very-secret") as client:
        assert "very-secret" not in repr(client)
