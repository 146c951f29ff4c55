"""What a run said and what it came to, against its script and its tools. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.chaos.checks import Check
from tests.chaos.observed import Event, Observed
from tests.chaos.script_text import Oracle

_REQUEST = re.compile(r"(?:input|outcome)_(?:e\d+_)?(\d+_\d+)(?:_\d+)?")
_Complaints = Iterator[tuple[Check, str]]


def complaints(run: Observed) -> _Complaints:
    """Answers, reasoning, calls and outputs that are missing or others than they are to be."""
    told = _told(run.events)
    for life in run.lives:
        reader = _Reader(run.input)
        for event in life:
            yield from reader.read(event)
        yield from _outputs(run, life, told)


class _Reader:
    """Reads events in order; whole answers are to be the script's, cut ones begin like them."""

    def __init__(self, submitted: str) -> None:
        self._oracle = Oracle(submitted)
        self._begun = self._cut = False
        self._whole = 0
        """The step of the newest whole answer."""
        self._thoughts: defaultdict[int, dict[int, str]] = defaultdict(dict)
        """Reasoning by step and attempt, as far as it counts."""

    def read(self, event: Event) -> _Complaints:
        """The next event."""
        data = event["data"]
        match event["type"]:
            case "message.user":
                if self._begun:
                    self._oracle.redirected(data["text"])
                self._begun, self._cut = True, False
            case "turn.completed" if data["status"] != "completed":
                self._cut = True  # whatever it has not said stays unsaid
            case "reasoning.delta":
                of_step = self._thoughts[event["step"]]
                of_step[event["attempt"]] = of_step.get(event["attempt"], "") + data["text"]
            case "attempt.superseded":
                self._thoughts[event["step"]].pop(data["attempt"], None)
            case _ if self._oracle.knows:
                yield from self._judged(event)

    def _judged(self, event: Event) -> _Complaints:
        data = event["data"]
        match event["type"]:
            case "message.completed":
                yield from self._compared(event)
                self._oracle.answered()
                self._whole = event["step"]
            case "command.applied" if _stopped_the_model(data) and event["step"] == self._whole:
                self._oracle.asked_again()  # it was whole, but its worker could not say so any more
            case "message.interrupted":
                oracle, thoughts = self._oracle, self._thought(event)
                text = event["data"]["text"]
                if not (oracle.text.startswith(text) and oracle.thoughts.startswith(thoughts)):
                    yield Check.SAID, f"step {event['step']}: no beginning of what is to be said"
            case "run.completed":
                yield from self._completed(event["data"]["output"])
            case "run.failed" if not self._oracle.fails:
                yield Check.SAID, f"it failed, which the script does not say: {event['data']}"

    def _compared(self, event: Event) -> _Complaints:
        oracle, step, data = self._oracle, event["step"], event["data"]
        if data["text"] != oracle.text:
            yield Check.SAID, f"step {step}: {differing(data['text'], oracle.text)}"
        if (thoughts := self._thought(event)) != oracle.thoughts:
            yield Check.SAID, f"step {step}, reasoning: {differing(thoughts, oracle.thoughts)}"
        calls = [(call["name"], call["arguments"]) for call in data["tool_calls"]]
        if calls != oracle.calls:
            yield Check.SAID, f"step {step} asks for {calls}, not for {oracle.calls}"

    def _completed(self, output: str) -> _Complaints:
        if self._cut:
            return
        if self._oracle.left:
            yield Check.SAID, f"{self._oracle.left} answers are missing at the end"
        if output != self._oracle.last:
            yield Check.OUTPUT, f"of the run: {differing(output, self._oracle.last)}"

    def _thought(self, event: Event) -> str:
        return "".join(self._thoughts[event["step"]].values())


def _outputs(run: Observed, life: Sequence[Event], told: dict[str, list[str]]) -> _Complaints:
    """What tools are said to have given is what they give, or what a person has said."""
    messages = [event for event in life if event["type"] == "message.completed"]
    asked = {call["call_id"]: call for it in messages for call in it["data"]["tool_calls"]}
    for event in life:
        call_id = event["data"].get("call_id")
        if event["type"] != "tool.completed" or call_id not in asked:
            continue
        by_itself = "attempt" in event
        call = asked[call_id]
        wanted = _given(run, call) if by_itself else [*told.get(call_id, ()), *_answered(call)]
        output = event["data"]["output"]
        if wanted is not None and output not in wanted:
            yield Check.OUTPUT, f"of {call_id}: {output!r}, not {wanted}"


def _given(run: Observed, call: dict[str, Any]) -> list[str] | None:
    """What that call gives; None if nothing is known of it."""
    template = run.outputs.get(call["name"])
    return None if template is None else [template.format_map(call["arguments"])]


def _answered(call: dict[str, Any]) -> list[str]:
    """What another agent answers whom that call asks."""
    oracle = Oracle(str(call["arguments"].get("message", "")))
    return [oracle.last] if oracle.knows else []


def _stopped_the_model(applied: Event) -> bool:
    return applied["kind"] == "pause" and "cancelled: the model" in applied["applied"]


def _told(events: Sequence[Event]) -> dict[str, list[str]]:
    """What people have answered to questions, or said of unsafe calls, by call."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        if event["type"] == "input.received":
            request, text = event["data"]["request_id"], event["data"]["text"]
            if found := _REQUEST.fullmatch(request):
                outcome = request.startswith("outcome")
                said = text.removeprefix("happened:").strip() if outcome else text
                told[f"call_{found[1]}"].append(said)
    return told


def differing(seen: str, stored: str) -> str:
    """Where two texts part."""
    same = next((at for at, (a, b) in enumerate(zip(seen, stored, strict=False)) if a != b), None)
    at = min(len(seen), len(stored)) if same is None else same
    return f"{len(seen)} and {len(stored)} characters, apart from {at} on: {seen[at : at + 20]!r}"
