"""Random programs against the journal and against a model that fits on one screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from relayline.contracts.envelope import NewEvent
from relayline.journal.port import (
    Appended,
    CursorExpired,
    Fence,
    Head,
    Holder,
    Journal,
    JournalError,
    RunEnded,
    StaleAttempt,
)
from relayline.journal.table import EVERY
from tests.examples import examples
from tests.journal.samples import delta, end, fact, follow, fresh_run, seqs

T = TypeVar("T")


@dataclass
class Model:
    """One run as the port describes it."""

    keys: list[str | None] = field(default_factory=list)
    fences: dict[str, int] = field(default_factory=dict)
    ended: bool = False
    first_seq: int = 1

    def append(self, events: list[NewEvent], fence: Fence | None) -> list[Appended]:
        if fence and (by := self.fences.get(fence.scope, 0)) > fence.attempt:
            raise StaleAttempt("run", fence, by)
        keys, ended, placed = list(self.keys), self.ended, []
        for event in events:
            known = event.key is not None and event.key in keys[self.first_seq - 1 :]
            if not known and ended:
                raise RunEnded
            if not known:
                keys.append(event.key)
                ended = event.body.type == "run.completed"
            seq = keys.index(event.key) + 1 if known else len(keys)
            placed.append(Appended(seq, new=not known))
        self.keys, self.ended = keys, ended
        if fence:
            self.fences[fence.scope] = fence.attempt
        return placed

    def sweep(self) -> None:
        if self.ended and self.first_seq <= len(self.keys):
            self.first_seq = len(self.keys) + 1
            self.fences.clear()

    def read(self, after: int, limit: int, *, facts: bool) -> list[int]:
        if after + 1 < self.first_seq:
            raise CursorExpired(self.first_seq)
        found = [
            seq
            for seq, key in enumerate(self.keys, start=1)
            if seq > after and not (facts and key is None)
        ]
        return found[:limit]

    @property
    def head(self) -> Head | None:
        return Head(self.first_seq, len(self.keys), self.ended) if self.keys else None


class Append(NamedTuple):
    opener: int
    events: list[NewEvent]
    fence: Fence | None


class Read(NamedTuple):
    opener: int
    after: int
    limit: int
    facts: bool


class Sweep(NamedTuple):
    opener: int


_openers = st.integers(0, 1)
_events = st.one_of(
    st.just(delta()),
    st.sampled_from([fact(key) for key in ("k1", "k2", "k3")]),
    st.sampled_from([delta("y"), fact("k4"), end()]),
)
_holders = st.sampled_from([None, Holder("w", "7", b"t")])
_fences = st.none() | st.builds(Fence, st.sampled_from(["a", "b"]), st.integers(1, 4), _holders)
_programs = st.lists(
    st.one_of(
        st.builds(Append, _openers, st.lists(_events, max_size=4), _fences),
        st.builds(Read, _openers, st.integers(0, 30), st.integers(0, 10), st.booleans()),
        st.builds(Sweep, _openers),
    ),
    max_size=25,
)


@given(program=_programs)
@examples(
    120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # every example has its own run
)
async def test_the_journal_does_what_the_model_does(
    journal: Journal, other: Journal, program: list[Append | Read | Sweep]
) -> None:
    run, model, journals = fresh_run(), Model(), (journal, other)
    for step in program:
        await _take(step, run, model, journals[step.opener])
        assert await other.head(EVERY, run) == model.head
    await _compare_whole(run, model, other)


async def _take(step: Append | Read | Sweep, run: str, model: Model, journal: Journal) -> None:
    """One step on both; they agree on the answer or on the refusal."""
    match step:
        case Append(_, events, fence):
            with _as_refused(lambda: model.append(events, fence)) as expected:
                assert await journal.append(run, events, fence) == expected
        case Read(_, after, limit, facts):
            with _as_refused(lambda: model.read(after, limit, facts=facts)) as expected:
                assert seqs(await journal.read(EVERY, run, after, limit, facts=facts)) == expected
        case Sweep():
            model.sweep()
            await journal.sweep(datetime.now(UTC) + timedelta(days=1))


@contextmanager
def _as_refused(model: Callable[[], T]) -> Iterator[T | None]:
    """What the model answers; when it refuses, the block has to be refused in the same way."""
    refusal: JournalError | None = None
    answer: T | None = None
    try:
        answer = model()
    except JournalError as error:
        refusal = error
    if refusal is None:
        yield answer
        return
    with pytest.raises(type(refusal)) as caught:
        yield None
    assert getattr(caught.value, "oldest", None) == getattr(refusal, "oldest", None)


async def _compare_whole(run: str, model: Model, journal: Journal) -> None:
    after = model.first_seq - 1
    stored = await journal.read(EVERY, run, after)
    assert [event.key for event in stored] == model.keys[after:]
    assert seqs(stored) == list(range(model.first_seq, len(model.keys) + 1))
    for key in {event.key for event in stored if event.key}:
        found = await journal.get(EVERY, run, key)
        assert found is not None
        assert found.seq == model.keys.index(key) + 1
    if model.ended:
        assert seqs(await follow(journal, run, after)) == seqs(stored)
