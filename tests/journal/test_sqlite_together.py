"""Appends of deltas that share a commit have the outcome that they have one by one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent
from relayline.contracts.events import MessageDelta, ReasoningDelta, RunCompleted, RunResumed
from relayline.journal.port import Appended, Fence, JournalError
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY
from tests.examples import examples

BODIES = (MessageDelta(text="text “é”"), ReasoningDelta(text="hm"))
NEW = NewEvent(body=BODIES[0], step=1, attempt=1)


class Append(NamedTuple):
    run_id: str
    events: Sequence[NewEvent]
    fence: Fence | None


def deltas() -> st.SearchStrategy[list[NewEvent]]:
    """One append of deltas, or seldom of something else, which runs by itself."""
    made = st.lists(
        st.sampled_from(BODIES).map(lambda body: NEW.model_copy(update={"body": body})),
        min_size=1,
        max_size=3,
    )
    resumed = NewEvent(body=RunResumed(), key="resumed")
    ended = NewEvent(body=RunCompleted(), key="0/run/ended")
    return st.one_of(made, made, made, made, st.just([resumed]), st.just([NEW, ended]))


FENCES = st.builds(Fence, st.sampled_from(("a", "b")), st.integers(1, 2))
APPENDS = st.lists(
    st.builds(Append, st.sampled_from(("run_1", "run_2")), deltas(), st.none() | FENCES),
    max_size=12,
)


async def outcome(journal: SqliteJournal, append: Append) -> list[Appended] | str:
    try:
        return await journal.append(*append)
    except JournalError as error:
        return f"{type(error).__name__}: {error}"


@pytest.mark.slow
@examples(50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(appends=APPENDS)
async def test_together_or_one_by_one_is_the_same(tmp_path: Path, appends: list[Append]) -> None:
    number = next(_NUMBERS)
    together = SqliteJournal(tmp_path / f"{number}-together.db")
    each = SqliteJournal(tmp_path / f"{number}-each.db")
    await together.check()
    await together.tenant_keys.keys()  # no append has to wait for them: all go in order
    at_once = await asyncio.gather(*(outcome(together, append) for append in appends))
    assert at_once == [await outcome(each, append) for append in appends]
    for run_id in ("run_1", "run_2"):
        stored = [event._replace(at_us=0) for event in await together.read(EVERY, run_id)]
        assert stored == [event._replace(at_us=0) for event in await each.read(EVERY, run_id)]
        for scope in ("a", "b"):
            assert await together.fenced(run_id, scope) == await each.fenced(run_id, scope)
    for journal in (together, each):
        await journal.close()


_NUMBERS = count()
