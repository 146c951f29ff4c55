"""A receiver of webhooks is down for an hour of a compressed clock while API, worker and Temporal
are killed in turn: it hears everything, in order, under one id per event."""

from __future__ import annotations

from pathlib import Path

import pytest

from relayline.runtime.settings import Settings
from tests.chaos.downtime import TARGETS, Hour, compressed, played
from tests.chaos.plans import brief

pytestmark = pytest.mark.stack


@pytest.mark.soak
@pytest.mark.timeout(300)  # a minute, and what a busy machine adds
async def test_a_receiver_that_was_down_hears_everything_whatever_was_killed(
    tmp_path: Path,
) -> None:
    hour = Hour(seed=1, runs=12, factor=240, every_s=3, rounds=1, workers=1, make=brief)
    found, said = await played(tmp_path, hour)
    assert found == []
    assert said["runs"] >= hour.runs
    assert said["not_taken"] >= 10, "it was down"
    assert said["told"] >= 2 * hour.runs
    assert said["faults"] == {f"kill {target}": 1 for target in TARGETS}


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("postgres", [False, True], ids=["sqlite", "postgres"])
async def test_the_same_for_a_mix_of_two_hundred_runs(tmp_path: Path, postgres: bool) -> None:
    hour = Hour(seed=7, apis=2, postgres=postgres)
    found, said = await played(tmp_path, hour)
    assert found == []
    assert said["runs"] >= hour.runs
    assert said["faults"] == {f"kill {target}": hour.rounds for target in TARGETS}


def test_a_compressed_clock_has_the_usual_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Settings()
    for name, value in compressed(60).items():
        monkeypatch.setenv(name, value)
    scaled = Settings()
    assert [60 * each for each in scaled.webhook_retry_s] == pytest.approx(usual.webhook_retry_s)
    assert 60 * scaled.webhook_rest_s == pytest.approx(usual.webhook_rest_s)
    assert 60 * scaled.webhook_give_up_s == pytest.approx(usual.webhook_give_up_s)
