"""The program of docs/webhooks.md takes what is signed and nothing else; it names every type."""

from __future__ import annotations

import importlib
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relayline.activities.webhook import Patience
from relayline.contracts.webhooks import TOLD_TYPES, TryOutcome
from relayline.journal.webhooks import OVERLAP, TRIPPED, Backlog
from relayline.outbound.metrics import WebhookMetrics
from relayline.outbound.sender import MAX_RETRY_AFTER, TOTAL_S
from relayline.outbound.signature import signed
from relayline.runtime.settings import Settings
from tests.docs.modules import importable
from tests.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "webhooks.md"
OPERATE = ROOT / "docs" / "operate" / "webhooks.md"
BODY = b'{"type": "run.completed", "data": {"run_id": "run_1"}}'


def test_the_program_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with importable("receiver_of_docs", "\n".join(blocks(PAGE, "python")), tmp_path):
        page: Any = importlib.import_module("receiver_of_docs")
        headers = signed([page.SECRET], "run_1.17", int(time.time()), BODY)
        assert page.receive(BODY, headers) == 204
        assert page.receive(BODY + b" ", headers) == 401
    assert capsys.readouterr().out == "run.completed run_1\n"


def test_every_type_is_named() -> None:
    text = PAGE.read_text()
    assert not [kind for kind in TOLD_TYPES if f"`{kind}`" not in text]


def test_metrics_and_outcomes_are_those_of_the_page_for_operators() -> None:
    metrics = WebhookMetrics()
    metrics.show(Backlog(0, None, 0, 0, 0, 0))
    _, told = metrics.text()
    page = OPERATE.read_text()
    named = {*re.findall(r"^\| `(relayline_\w+)`", page, re.MULTILINE)}
    assert named == {*re.findall(r"^(relayline_\w+)[ {]", told.decode(), re.MULTILINE)}
    assert not [it for it in TryOutcome if f"`{it.value}`" not in page]


SECONDS = {"s": 1, "min": 60, "h": 3600}
TRIES = re.compile(
    r"tried again after (?P<pauses>.+) and then every (?P<last>\d+ h), for (?P<all>\d+ h) from the"
)


def seconds(text: str) -> list[float]:
    """`5 s, 2 h` in seconds."""
    return [float(many) * SECONDS[unit] for many, unit in re.findall(r"(\d+) (s|min|h)\b", text)]


def test_the_times_are_those_of_the_code() -> None:
    text, patience, settings = " ".join(PAGE.read_text().split()), Patience(), Settings()
    told = TRIES.search(text)
    assert told
    assert [*seconds(told["pauses"]), *seconds(told["last"])] == [*patience.pauses_s]
    assert seconds(told["all"]) == [patience.give_up_s]
    assert (settings.webhook_retry_s, settings.webhook_give_up_s, settings.webhook_rest_s) == (
        patience.pauses_s,
        patience.give_up_s,
        patience.rest_s,
    )
    assert f"a status of 2xx within {TOTAL_S:g} s." in text
    assert f"a longer pause, up to {MAX_RETRY_AFTER / timedelta(hours=1):g} h." in text
    assert f"for {OVERLAP / timedelta(hours=1):g} hours after a rotation" in text
    assert f"at most {patience.rest_s / 60:g} minutes apart" in text


def test_pauses_and_rests_grow_to_their_bounds_and_no_further() -> None:
    patience = Patience()
    for failures in range(1, 30):
        pause_s = patience.pause(failures).total_seconds()
        wanted_s = patience.pauses_s[min(failures, len(patience.pauses_s)) - 1]
        assert 0.9 * wanted_s <= pause_s <= 1.1 * wanted_s
    rests = [patience.rest(strikes).total_seconds() for strikes in range(1000)]
    assert rests == sorted(rests)
    assert rests[TRIPPED - 1 : TRIPPED + 3] == [0, 5, 10, 20]
    assert rests[-1] == patience.rest_s
