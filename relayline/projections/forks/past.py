"""The past of a run as facts in its own journal. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relayline.contracts.envelope import NewEvent, StoredEvent
from relayline.contracts.events import (
    ContextCompacted,
    EventBody,
    MessageCompleted,
    RunForked,
    ToolCompleted,
    ToolFailed,
    UserMessageEvent,
)
from relayline.contracts.keys import (
    FORKED_KEY,
    epoch_prefix,
    inherited_key,
    inherited_turn_key,
    message_key,
)
from relayline.contracts.runs import EditedResult, Past, ResultEdit, Said
from relayline.projections.projection import data_of
from relayline.projections.said import told_of_result
from relayline.projections.valid import counting

_RESULTS = frozenset({"tool.completed", "tool.failed", "tool.cancelled", "tool.abandoned"})
_KEPT = frozenset({"message.completed", "message.interrupted", "tool.started", *_RESULTS})
"""Types whose keys later steps look up; those of unsafe tools' claims are among them."""
_REQUESTS = {"approval.requested": "approval_id", "input.requested": "request_id"}
_CLOSED = {
    "approval.resolved": "approval_id",
    "input.received": "request_id",
    "input.closed": "request_id",
}
_ASKED = {**_REQUESTS, **_CLOSED}
_TURN_OVER = "turn.completed"
_COPIED = frozenset(
    {
        *("message.user", "step.started", "output.rejected", "model.fallback"),
        "context.compacted",
        *("child.started", "child.ended", "tools.listed"),
        *_KEPT,
    }
)
"""Beside what people were asked and answered, and the ends of turns."""
_RAISES = "raise_limit"


@dataclass(frozen=True)
class Inherited:
    """The past of a run, ready to append: `run.forked` and what comes up to its `to_seq`."""

    forked: NewEvent
    facts: tuple[NewEvent, ...]


def inherited(past: Past, facts: Sequence[StoredEvent], at: int, *, is_open: bool) -> Inherited:
    """The past of a run.

    Args:
        past: What the run was submitted with.
        facts: Of the run that it is a fork of, from its start on; empty for a past that was given.
        at: `seq` that `run.forked` gets; its past follows it.
        is_open: False: the ends of turns are left out.
    """
    copies, edits = (
        (given(past.history), ())
        if past.run_id is None
        else _copied(past, facts, at + 1, is_open=is_open)
    )
    body = RunForked(
        run_id=past.run_id,
        step=past.step,
        seq=past.seq,
        to_seq=at + len(copies),
        edits=edits,
        changed=past.changed,
    )
    return Inherited(NewEvent(key=FORKED_KEY, body=body), copies)


def given(history: Iterable[Said]) -> tuple[NewEvent, ...]:
    """The facts of a past that was given: each answer is a step of its own."""
    facts: list[NewEvent] = []
    step = 0
    for place, said in enumerate(history, 1):
        if said.role == "user":
            body: EventBody = UserMessageEvent(text=said.content, parts=said.parts)
            facts.append(NewEvent(key=inherited_key(place), body=body))
        else:
            step += 1
            body = MessageCompleted(text=said.content, finish_reason="stop")
            facts.append(NewEvent(key=message_key(0, step), body=body, step=step))
    return tuple(facts)


def _copied(
    past: Past, facts: Sequence[StoredEvent], first: int, *, is_open: bool
) -> tuple[tuple[NewEvent, ...], tuple[EditedResult, ...]]:
    """Copies of the facts that belong to the past, and what is edited in them."""
    counted = counting(fact for fact in facts if fact.seq <= past.seq)
    kept = {_key(fact): fact for fact in reversed(_wanted(counted, is_open=is_open))}
    sources = sorted(kept.items(), key=lambda item: item[1].seq)
    places = [fact.seq for _, fact in sources]
    edits = {edit.call_id: edit for edit in past.edits}
    edited: list[EditedResult] = []
    copies: list[NewEvent] = []
    for key, fact in sources:
        body = fact.body()
        if isinstance(body, ContextCompacted):
            body = _moved(body, places, first)
        elif fact.type in _RESULTS and (edit := edits.get(str(data_of(fact).get("call_id")))):
            before = told_of_result(fact)
            after = EditedResult(call_id=edit.call_id, before=before, after=edit.output)
            edited.append(after)
            body = _edited(edit, str(data_of(fact).get("name")))
        copies.append(NewEvent(key=key, body=body, step=fact.step, attempt=fact.attempt))
    return tuple(copies), tuple(edited)


def _wanted(facts: Sequence[StoredEvent], *, is_open: bool) -> list[StoredEvent]:
    """Those that are copied: what was said and done, and what people were asked and answered."""
    asked, closed = _ids(facts, _REQUESTS), _ids(facts, _CLOSED)
    return [fact for fact in facts if _belongs(fact, asked & closed, is_open=is_open)]


def _ids(facts: Iterable[StoredEvent], of: Mapping[str, str]) -> set[object]:
    """The ids of what people were asked, but for raised limits, which are not inherited."""
    found = ((data_of(fact), of[fact.type]) for fact in facts if fact.type in of)
    return {data.get(name) for data, name in found if data.get("tool") != _RAISES}


def _belongs(fact: StoredEvent, settled: set[object], *, is_open: bool) -> bool:
    """True for a fact of the past; a request is one only with its end."""
    if fact.type == _TURN_OVER:
        return is_open
    if name := _ASKED.get(fact.type):
        return data_of(fact).get(name) in settled
    retries = fact.type == "tool.failed" and data_of(fact).get("retryable")
    return fact.type in _COPIED and not retries


def _key(fact: StoredEvent) -> str:
    """The key of the copy: unique, and the one of epoch 0 where a later step looks it up."""
    epoch, _, rest = (fact.key or "").partition("/")
    if fact.type in _KEPT and epoch.isdigit():
        return f"{epoch_prefix(0)}{rest}"
    if fact.type == _TURN_OVER:
        return inherited_turn_key(int(str(data_of(fact).get("turn"))))
    return inherited_key(fact.seq)


def _moved(body: ContextCompacted, places: Sequence[int], first: int) -> ContextCompacted:
    """The compaction with the `seq`s that its messages have here."""

    def here(seq: int) -> int:
        return first + bisect_left(places, seq)

    kept = tuple(here(seq) for seq in body.kept)
    return body.model_copy(update={"kept_from": here(body.kept_from), "kept": kept})


def _edited(edit: ResultEdit, name: str) -> EventBody:
    if edit.is_error:
        return ToolFailed(call_id=edit.call_id, name=name, error=edit.output)
    return ToolCompleted(call_id=edit.call_id, name=name, output=edit.output)


def past_end(facts: Iterable[StoredEvent]) -> int:
    """`seq` of the last event of the past; 0 if the run has none, or not yet."""
    forked = next((fact for fact in facts if fact.key == FORKED_KEY), None)
    body = forked.body() if forked else None
    return body.to_seq if isinstance(body, RunForked) else 0
