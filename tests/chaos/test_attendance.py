"""How long workers were at work is read from what was logged and done."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.attendance import Span, attendance, within
from tests.chaos.faults import STOPPED_S, Fault

BEGAN_US = 1_800_000_000_000_000
STOPPED_US = int(STOPPED_S[1] * 1e6)


def at(seconds: float) -> int:
    return BEGAN_US + int(seconds * 1e6)


def line(seconds: float, text: str) -> str:
    return f"{datetime.fromtimestamp(at(seconds) / 1e6, UTC).isoformat()} {text}\n"


def test_a_worker_is_at_work_from_its_word_until_it_is_killed_or_stopped(tmp_path: Path) -> None:
    (tmp_path / "dev.log").write_text(
        line(10.2, "worker-1 (pid 11) ended with SIGKILL")
        + line(30, "worker-2 (pid 22) ended with exit code 0")
    )
    began = "INFO relayline.worker: at work work=runs\n"
    (tmp_path / "worker-1.log").write_text(line(1, began) + "Traceback\n")
    (tmp_path / "worker-2.log").write_text(line(12, began))
    faults = [
        Fault(at(10), "kill", "worker", 11),
        Fault(at(15), "pause", "worker", 22),
        Fault(at(28), "drain", "worker", 22),
    ]
    spans = attendance(tmp_path, faults)
    woken_us = at(15) + STOPPED_US
    assert spans == [Span(at(1), at(10)), Span(at(12), at(15)), Span(woken_us, at(28))]
    assert within(spans, at(9), at(13)) == 2


def test_of_two_at_work_one_is_enough(tmp_path: Path) -> None:
    (tmp_path / "dev.log").write_text(line(5, "worker-1 (pid 11) ended with SIGKILL"))
    (tmp_path / "worker-1.log").write_text(line(1, "INFO x: at work"))
    (tmp_path / "worker-2.log").write_text(line(2, "INFO x: at work"))
    faults = [Fault(at(4.9), "kill", "worker", 11), Fault(at(20), "kill", "api", 1)]
    assert attendance(tmp_path, faults) == [Span(at(1), at(20))]
