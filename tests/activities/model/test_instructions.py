"""What a model reads of an agent's instructions: for whom it works, the same in a whole turn."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

from relayline.activities.model.port import TextPart
from relayline.activities.whose.instructions import instructed
from relayline.contracts.envelope import NewEvent, StoredEvent, body_json, microseconds, moment
from relayline.contracts.events import (
    EventBody,
    RunQueued,
    RunStarted,
    StepStarted,
    UserMessageEvent,
)
from relayline.contracts.keys import QUEUED_KEY
from relayline.contracts.runs import AgentSpec, Limits
from relayline.journal.port import Journal
from tests.activities.model.model_calls import Run, finished

AGENT = AgentSpec(
    name="clerk",
    model="rehearsal",
    instructions="{agent} for {user} of {tenant}, team {metadata.team}, on {date}",
    template=True,
)
QUEUED = RunQueued(
    agent="clerk",
    model="rehearsal",
    user="ann",
    metadata={"team": "blue", "tenant": "{date}"},
    submitted_at=datetime(2026, 1, 30, tzinfo=UTC),
)


class Facts:
    """The journal of a run, one fact after another, each at a time that the test says."""

    def __init__(self) -> None:
        self.all: list[StoredEvent] = []
        self._seq = count(1)

    def add(self, day: int, body: EventBody, step: int | None = None) -> None:
        at = microseconds(datetime(2026, 1, day, 23, 59, tzinfo=UTC))
        given = (next(self._seq), at, body.type, step, None, f"{len(self.all)}", body_json(body))
        self.all.append(StoredEvent("run_0123456789abcdef", *given))


def test_the_day_is_that_on_which_the_turn_began_as_the_journal_says() -> None:
    facts = Facts()
    facts.add(10, QUEUED)
    facts.add(11, UserMessageEvent(text="hi", turn=1))
    facts.add(11, StepStarted(model="rehearsal", turn=1), 1)
    facts.add(12, UserMessageEvent(text="and today?", turn=2))
    facts.add(12, StepStarted(model="rehearsal", turn=2), 2)
    facts.add(13, UserMessageEvent(text="more of the same turn", turn=2))
    facts.add(13, StepStarted(model="rehearsal", turn=2), 3)
    said = [instructed(AGENT, "acme", step, facts.all).instructions[-10:] for step in (1, 2, 3)]
    assert said == ["2026-01-11", "2026-01-12", "2026-01-12"]


def test_a_run_of_an_older_version_is_filled_in_with_what_it_has() -> None:
    facts = Facts()
    facts.add(10, RunStarted(agent="clerk", model="rehearsal", limits=Limits()))
    facts.add(11, StepStarted(model="rehearsal"), 1)
    said = instructed(AGENT, "acme", 1, facts.all).instructions
    assert said == "clerk for  of acme, team , on 2026-01-10"


async def test_the_model_reads_for_whom_it_works(journal: Journal) -> None:
    run = Run(journal)
    run.agent = AGENT
    await journal.append(run.id, [NewEvent(key=QUEUED_KEY, body=QUEUED)])
    provider = finished(TextPart("hello"))
    await run.call(provider)
    [prompt] = provider.prompts
    [day] = {
        moment(event.at_us).date() for event in await run.events() if event.type == "message.user"
    }
    assert prompt.instructions == f"clerk for ann of default, team blue, on {day.isoformat()}"


async def test_instructions_that_are_no_template_stay_as_they_are(journal: Journal) -> None:
    run = Run(journal)
    run.agent = AGENT.model_copy(update={"template": False})
    provider = finished(TextPart("hello"))
    await run.call(provider)
    assert provider.prompts[0].instructions == AGENT.instructions
