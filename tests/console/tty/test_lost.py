"""What people see when the server has lost events: a word about it, then all that stands."""

from __future__ import annotations

import io
import json

from relayline.client import AsyncClient
from relayline.console.tty.watch import watch, watch_json
from relayline.contracts.runs import RunStatus
from tests.client.stand_in import RUN, StandIn
from tests.client.test_lost import TOLD, speak


async def test_people_are_told_and_shown_what_stands_from_the_start(stand_in: StandIn) -> None:
    stand_in.answers += [speak(stand_in), TOLD]
    out = io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        assert await watch(client.run(RUN), out, io.StringIO()) is RunStatus.COMPLETED
    before, line, after = out.getvalue().partition(
        "\n↻ the server has lost events (the newest is 3): starting over\n"
    )
    assert line
    assert before.endswith("lost8 lost9 ")
    assert after.startswith(f"▶ {RUN} · assistant · rehearsal\n— step 1\nas stored\n✓ completed")


async def test_json_lines_come_anew_after_a_word_aside(stand_in: StandIn) -> None:
    stand_in.answers += [speak(stand_in), TOLD]
    out, err = io.StringIO(), io.StringIO()
    async with AsyncClient(stand_in.url) as client:
        assert await watch_json(client.run(RUN), out, err) is RunStatus.COMPLETED
    assert [json.loads(line) for line in out.getvalue().splitlines()][9:] == stand_in.events
    assert "the server has lost events (the newest is 3)" in err.getvalue()
