"""The facts of a run that a worker keeps from one model call to the next."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment

from relayline.activities.attempt import Attempt
from relayline.activities.model.steps.past import KEPT_S, Past, Pasts
from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import EventBody, MessageCompleted, RunRewound, UserMessageEvent
from relayline.contracts.messages import Message, Usage
from relayline.journal.port import Journal
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.journal.table import EVERY, Tenant
from tests.activities.model.model_calls import GatedJournal

RUN = "run_1"


class Watched(GatedJournal):
    """A journal that notes after which event it was read."""

    def __init__(self, inner: Journal) -> None:
        super().__init__(inner)
        self.reads: list[tuple[str, int]] = []

    async def read(
        self, tenant: Tenant, run_id: str, after: int = 0, limit: int = 1000, **more: Any
    ) -> list[StoredEvent]:
        self.reads.append((run_id, after))
        return await super().read(tenant, run_id, after, limit, **more)


async def say(journal: Journal, number: int, run_id: str = RUN, text: str = "hi") -> None:
    """A turn: what a person says, and the answer."""
    answer = MessageCompleted(text=f"{text} {number}", finish_reason="stop", usage=Usage())
    await add(journal, f"0/message/{number}", UserMessageEvent(text=text), run_id)
    await add(journal, f"0/step/{number}/message", answer, run_id, number)


async def add(
    journal: Journal, key: str, body: EventBody, run_id: str = RUN, step: int | None = None
) -> None:
    await journal.append(run_id, [NewEvent(key=key, body=body, step=step)])


async def read(pasts: Pasts, journal: Journal, epoch: int = 0, run_id: str = RUN) -> Past:
    async def work() -> Past:
        return await pasts.of(Attempt(journal, run_id, epoch, "0/step/9"), epoch, ())

    return await ActivityEnvironment().run(work)


def texts(messages: Sequence[Message]) -> list[str]:
    return [it.text for it in messages if it.role in {"user", "assistant"}]


async def test_a_later_step_reads_only_what_is_new(journal: Journal) -> None:
    watched, pasts = Watched(journal), Pasts()
    await say(journal, 1)
    assert (await read(pasts, watched)).told.messages
    await say(journal, 2)
    past = await read(pasts, watched)
    assert watched.reads == [(RUN, 0), (RUN, 1)]  # the newest known one again, and what follows
    assert [fact.seq for fact in past.facts] == [1, 2, 3, 4]
    assert [fact.seq for fact in past.told.unread] == [4, 3]
    assert texts(past.told.messages) == ["hi", "hi 1", "hi", "hi 2"]
    assert past == (await read(Pasts(), journal))._replace(told=past.told)


async def test_messages_that_were_read_before_are_not_parsed_again(journal: Journal) -> None:
    pasts = Pasts()
    await say(journal, 1)
    earlier = (await read(pasts, journal)).told.messages
    await say(journal, 2)
    later = (await read(pasts, journal)).told.messages
    assert [id(it) for it in later[:2]] == [id(it) for it in earlier]


async def test_a_reset_makes_void_what_was_known(journal: Journal) -> None:
    watched, pasts = Watched(journal), Pasts()
    await say(journal, 1)
    await say(journal, 2)
    await read(pasts, watched)
    await add(journal, "rewound/1", RunRewound(to_seq=2, epoch=1))
    for epoch in (0, 1):  # a late attempt of the epoch before, and the run as it goes on
        past = await read(pasts, watched, epoch)
        assert [fact.seq for fact in past.facts] == [1, 2, 5]
        assert texts(past.told.messages) == ["hi", "hi 1"]
    assert watched.reads == [(RUN, 0), (RUN, 3), (RUN, 0)]


async def test_of_a_restored_journal_everything_is_read(tmp_path: Path) -> None:
    path, backup, pasts = tmp_path / "journal.db", tmp_path / "backup.db", Pasts()
    journal = SqliteJournal(path)
    await say(journal, 1)
    await journal.close()
    shutil.copy(path, backup)
    for text in ("lost", "kept"):
        restore(path, backup)
        journal = SqliteJournal(path)
        await say(journal, 2, text=text)
        past = await read(pasts, journal)
        await journal.close()
        assert texts(past.told.messages) == ["hi", "hi 1", text, f"{text} 2"]


def restore(path: Path, backup: Path) -> None:
    for file in path.parent.glob("journal.db*"):
        file.unlink()
    shutil.copy(backup, path)


async def test_the_facts_that_a_worker_keeps_have_a_limit(journal: Journal) -> None:
    watched = Watched(journal)
    for run_id in ("run_1", "run_2", "run_3"):
        await say(journal, 1, run_id, "x" * 10_000)
    await say(journal, 1, "run_4", "x" * 50_000)
    pasts = Pasts(max_bytes=100_000)
    for run_id in ("run_1", "run_2", "run_3", "run_4"):
        await read(pasts, watched, run_id=run_id)
    watched.reads.clear()
    for run_id in ("run_2", "run_3", "run_4", "run_1"):
        await read(pasts, watched, run_id=run_id)
    known = [run_id for run_id, after in watched.reads if after]
    assert known == ["run_2", "run_3"]  # run_1 was the oldest, and run_4 alone is too large


async def test_a_run_that_takes_no_step_is_forgotten(journal: Journal) -> None:
    now = 0.0
    watched, pasts = Watched(journal), Pasts(clock=lambda: now)
    await say(journal, 1)
    await read(pasts, watched)
    now = KEPT_S
    pasts.sweep()
    await read(pasts, watched)
    now = 2 * KEPT_S + 1
    pasts.sweep()
    await read(pasts, watched)
    assert watched.reads == [(RUN, 0), (RUN, 1), (RUN, 0)]


async def test_an_unknown_run_has_no_past(journal: Journal) -> None:
    pasts = Pasts()
    assert (await read(pasts, journal)).stored == ()
    await say(journal, 1)
    assert len((await read(pasts, journal)).stored) == 2
    assert len(await journal.read(EVERY, RUN)) == 2
