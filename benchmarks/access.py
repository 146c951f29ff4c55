"""What access costs: the check of a key that is cached, a submission with and without, and its row.

`python -m benchmarks.access` prints them; the submissions alternate between servers on the same
Temporal and journal, so that they differ in one thing alone.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import httpx
from starlette.types import Message, Receive, Scope, Send

from relayline.api.auth.api_keys import KeyAuthenticator
from relayline.api.auth.bearer import Authenticate
from relayline.api.auth.port import Authenticators
from relayline.contracts.envelope import NewEvent
from relayline.contracts.principals import Scope as Right
from relayline.journal.access.audit import AuditRow
from relayline.journal.access.issuing import KeyIssuer, KeyRequest
from relayline.journal.access.secret_ring import SecretRing
from relayline.journal.port import Appended
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.settings import Settings
from tests.api.serving import Api, serving
from tests.own_temporal import own_temporal_server

SECRET = "a:" + "s" * 40
CHECKS, SUBMISSIONS, WARM = 20_000, 400, 40


class WithoutRows(SqliteJournal):
    """A journal whose submissions have no row in the audit log."""

    async def append_audited(
        self,
        run_id: str,
        events: Sequence[NewEvent],
        audit: Sequence[AuditRow],  # noqa: ARG002  as in the port
    ) -> list[Appended]:
        """Append only."""
        return await self.append(run_id, events)


async def cpu_us(call: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of processor time of one call, the best of five rounds."""
    rounds = []
    for _ in range(5):
        before = time.process_time()
        for _ in range(CHECKS // 5):
            await call()
        rounds.append((time.process_time() - before) / (CHECKS // 5) * 1e6)
    return min(rounds)


async def check_costs(journal: SqliteJournal, text: str) -> dict[str, float]:
    """The check alone, and the whole middleware."""
    keys = KeyAuthenticator(journal.api_keys, SecretRing.parse(SECRET))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        raise AssertionError(message)

    behind = Authenticate(app, Authenticators(keys=keys))
    headers = [(b"host", b"x"), (b"authorization", f"Bearer {text}".encode())]
    scope = {"type": "http", "path": "/v1/runs", "headers": headers, "query_string": b""}

    async def through() -> None:
        await behind({**scope, "state": {}}, receive, send)

    async def bare() -> None:
        await app({**scope, "state": {}}, receive, send)

    await keys.principal(text)
    whole, floor = await cpu_us(through), await cpu_us(bare)
    costs = {"key check": await cpu_us(lambda: keys.principal(text)), "middleware": whole - floor}
    await keys.close()
    return costs


async def until_up(client: httpx.AsyncClient) -> None:
    """Return once the server accepts connections."""
    while True:
        try:
            await client.get("/healthz")
        except httpx.ConnectError:
            await asyncio.sleep(0.05)
        else:
            return


async def submit_ms(client: httpx.AsyncClient) -> float:
    """Milliseconds of one submission."""
    began = time.perf_counter()
    answer = await client.post("/v1/runs", json={"agent": "assistant", "input": "hello"})
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == 202, answer.text
    return took


async def round_ms(servers: Sequence[Api], turn: int) -> list[float]:
    """Milliseconds of one submission to each, as they stand; each turn begins with the next one.

    Whoever comes after another meets what that one's run makes Temporal do.
    """
    order = [(turn + place) % len(servers) for place in range(len(servers))]
    took = {place: await submit_ms(servers[place].http) for place in order}
    return [took[place] for place in range(len(servers))]


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        journal = SqliteJournal(Path(folder) / "journal.db")
        issuer = KeyIssuer(journal.api_keys, SecretRing.parse(SECRET), "bench")
        key = (await issuer.issue(KeyRequest("default", "bench", frozenset(Right)), "me")).text
        for what, cost in (await check_costs(journal, key)).items():
            print(f"{what}: {cost:.1f} us of processor time")
        keyed = Settings(auth="keys", secret=SECRET, data_dir=Path(folder))
        bare = WithoutRows(Path(folder) / "journal.db")
        async with (
            own_temporal_server() as temporal,
            serving(Settings(), journal, temporal) as off,
            serving(keyed, bare, temporal) as on,
            serving(keyed, journal, temporal) as audited,
        ):
            servers = (off, on, audited)
            for server in (on, audited):
                server.http.headers["Authorization"] = f"Bearer {key}"
            for server in servers:
                await until_up(server.http)
            took = [await round_ms(servers, turn) for turn in range(SUBMISSIONS + WARM)][WARM:]
        without, with_key, with_row = (statistics.median(it) for it in zip(*took, strict=True))
        rows = statistics.median(row - none for _, none, row in took)
        print(f"submit p50: {without:.2f} ms, with a key {with_key:.2f} ms, ", end="")
        print(f"and a row {with_row:.2f} ms; the row alone, pair by pair: {rows:+.2f} ms")
        await bare.close()
        await journal.close()


if __name__ == "__main__":
    asyncio.run(main())
