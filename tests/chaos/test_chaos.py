"""The short form of `make chaos`: a mixed load on two API processes and two workers, faults and
operators meanwhile, and no promise broken."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tests.chaos.__main__ import campaign

SEED = 20


@pytest.mark.timeout(150)  # some thirty runs on one stack, and what a busy machine adds
async def test_nothing_is_lost_and_nothing_comes_twice_whatever_is_killed(tmp_path: Path) -> None:
    given = argparse.Namespace(
        runs=24,
        seed=SEED,
        minutes=0.4,
        at_once=8,
        fault_every_s=2.5,
        mix="operators",
        api=2,
        workers=2,
    )
    found, told = await campaign(tmp_path, given)
    assert found == []
    assert told["runs"] >= 10
    assert sum(told["faults"].values()) >= 2
    assert told["characters"] > 1000
