"""Each of the four really serves: a few runs, a redeploy in the middle, every process real."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.patterns import serving
from benchmarks.patterns.comparison import Contender, Stage, compete, contenders
from benchmarks.patterns.figures import Pattern
from benchmarks.patterns.rounds import Plan, Round, Trouble
from benchmarks.patterns.workload import MODEL_CALLS, NEEDED
from benchmarks.stack import allow_many_files

pytestmark = [pytest.mark.soak, pytest.mark.stack, pytest.mark.timeout(240)]

USERS = 4
STAGE = Stage(3, (Plan(Trouble.REDEPLOY, USERS),))
PEERS = (Pattern.SYNC, Pattern.QUEUE, Pattern.STREAM)


def contender(pattern: Pattern) -> Contender:
    [found] = [it for it in contenders(quick=True, postgres=False) if it.pattern is pattern]
    return found._replace(stages=[STAGE])


async def rounds(pattern: Pattern, folder: Path) -> Round:
    allow_many_files()
    [found] = await compete(contender(pattern), folder)
    return found


@pytest.mark.parametrize("pattern", [*PEERS, Pattern.OURS])
async def test_every_user_has_an_answer_although_all_is_redeployed(
    pattern: Pattern, tmp_path: Path
) -> None:
    if pattern is Pattern.QUEUE and (lacks := serving.missing()):
        pytest.skip(lacks)
    found = await rounds(pattern, tmp_path)
    assert [it.ended is None for it in found.seen] == [False] * USERS, found.seen
    for seen in found.seen:
        assert seen.accepted
        assert seen.first
        assert seen.ended
        assert seen.began <= seen.accepted <= seen.first <= seen.ended
        assert found.ledger.calls[seen.job] >= MODEL_CALLS
        assert found.ledger.tokens[seen.job] >= NEEDED
    assert found.peak.memory_mb > 0
    assert found.peak.sockets > 0
