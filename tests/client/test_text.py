"""The text as it grows: pieces put together are what people should see, after every event."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relayline.client import Event, TextPiece
from relayline.client.streams.text import Fold
from tests.client.both import Caller
from tests.client.stand_in import RUN, Send, StandIn, envelope

steps = st.integers(1, 3)
attempts = st.integers(1, 3)
texts = st.text("abc ", max_size=4)
kinds: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.tuples(st.just("step.started"), st.just({})),
    st.tuples(st.just("message.delta"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("reasoning.delta"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("message.completed"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("message.interrupted"), st.fixed_dictionaries({"text": texts})),
    st.tuples(st.just("attempt.superseded"), st.fixed_dictionaries({"attempt": attempts})),
    st.tuples(st.just("run.rewound"), st.fixed_dictionaries({"to_seq": st.integers(0, 20)})),
    st.tuples(st.just("events.lost"), st.just({"reason": "gone"})),
    st.tuples(st.just("mood.changed"), st.just({})),
)


def put(shown: dict[int, str], pieces: list[TextPiece]) -> None:
    for step, text, replace in pieces:
        shown[step] = text if replace else shown.get(step, "") + text


@given(
    st.lists(st.tuples(kinds, steps, attempts, st.booleans()), max_size=40),
)
def test_pieces_put_together_are_the_rendered_text_after_every_event(
    drawn: list[tuple[tuple[str, dict[str, Any]], int, int, bool]],
) -> None:
    fold, shown, seq = Fold(), dict[int, str](), 0
    for (kind, data), step, attempt, looked in drawn:
        seq = 0 if kind == "events.lost" else seq + 1
        event = Event.model_validate(envelope(seq, kind, data, step, attempt))
        fold.take(event)
        if not looked:
            continue
        put(shown, fold.pieces())
        rendered = fold.rendered
        assert {step: text for step, text in shown.items() if text} == {
            step: rendered.text(step) for step in rendered.steps if rendered.text(step)
        }
    put(shown, fold.pieces())
    assert not fold.pieces()
    assert all(fold.rendered.text(step) == text for step, text in shown.items())


async def test_text_is_given_as_it_grows_and_replaced_where_an_attempt_is_superseded(
    stand_in: StandIn, both: Caller
) -> None:
    stand_in.add("run.started", agent="assistant", model="rehearsal")
    stand_in.add("step.started", 1, kind="model", model="rehearsal")
    stand_in.add("message.delta", 1, 1, text="It is for")
    stand_in.add("attempt.superseded", 1, 2, attempt=1, from_seq=3, to_seq=3, reason="lost")
    stand_in.add("message.delta", 1, 2, text="Forty")
    stand_in.add("message.delta", 1, 2, text="-two")
    stand_in.add("message.completed", 1, 2, text="Forty-two.", finish_reason="stop")
    stand_in.add("run.completed", output="Forty-two.")
    stand_in.answers.append(Send(limit=700, cut=True))
    async with both.open(stand_in.url) as client:
        stream = client.run(RUN).stream()
        pieces = [tuple(piece) async for piece in both.items(stream.text())]
    assert pieces == [
        (1, "It is for", False),
        (1, "", True),
        (1, "Forty", False),
        (1, "-two", False),
        (1, ".", False),
    ]
    assert (stream.status, stream.output, stream.error) == ("completed", "Forty-two.", None)
