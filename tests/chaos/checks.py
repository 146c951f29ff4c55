"""The promises that the checker knows by name."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Check(StrEnum):
    """One promise."""

    CONTIGUOUS = "contiguous"
    """The journal counts 1, 2, 3, …"""
    CLIENT_GAP = "client-gap"
    """No client misses an event between its cursor and the newest it got, or the end."""
    CLIENT_DOUBLE = "client-double"
    """No connection gives an event twice, out of order, or before its cursor."""
    CLIENT_SAME = "client-same"
    """What a client got is what the journal has."""
    RENDERED = "rendered"
    """What a person sees when a step ends is the text that is stored."""
    SAID = "said"
    """What is stored is what the model said: no answer, word, thought or call is missing, doubled
    or another; and the run fails only where the model has refused."""
    OUTPUT = "output"
    """What a run came to is its last answer; what a tool came to is what it or a person gave."""
    SUPERSEDED = "superseded"
    """What an attempt streamed is declared void before a later one streams."""
    STALE = "stale"
    """An attempt writes nothing once a later one has begun to."""
    FACT_ONCE = "fact-once"
    """No fact stands twice, by its key or by its meaning."""
    MESSAGES = "messages"
    """Each step begun ends with one message, unless the run failed in it."""
    CALL_ENDS_ONCE = "call-ends-once"
    """Each call that was asked for ends once."""
    NOT_RERUN = "not-rerun"
    """A call that has ended does not start again."""
    UNSAFE_ONCE = "unsafe-once"
    """An unsafe tool runs at most as often as a person let it."""
    EFFECT = "effect"
    """A tool that is said to have completed has run."""
    ENDED = "ended"
    """Each accepted run has ended; people have helped it on wherever it waited for them."""
    ACCEPTED = "accepted"
    """Nothing runs but what was accepted: a submission that came twice is one run."""
    ONE_END = "one-end"
    """One terminal fact, and nothing after it."""
    COMMANDS = "commands"
    """Each command has one outcome, and everybody is told the same."""
    REQUESTS = "requests"
    """Each approval and each question ends once."""
    PAUSES = "pauses"
    """Nothing begins or goes on in a paused run."""
    REDIRECTS = "redirects"
    """Each redirect that was applied is said once."""
    TURNS = "turns"
    """A message to a conversation is in exactly one turn, or refused; a turn ends once."""
    STATUS = "status"
    """`GET /v1/runs/{id}` says what the terminal fact says."""
    EPOCHS = "epochs"
    """An operator's reset is told before what follows from it, which has keys of its own."""
    FAMILY = "family"
    """A run that a call has started has ended, once, before that call has."""
    PINNED = "pinned"
    """A run lists the tools of its MCP servers once for each epoch and turn, and calls them as
    that list defines them, whatever the servers have become since."""
    BILL = "bill"
    """A run pays for what it has done itself: a fork does not do its past again, nor pay for it."""
    REPLAYS = "replays"
    """The history of every execution replays against the code."""
    TOLD = "told"
    """A receiver of webhooks is told of every such fact, whoever died meanwhile."""
    TOLD_ONCE = "told-once"
    """It is told of an event in one way, under one id, signed, at every try."""
    TOLD_ORDER = "told-order"
    """It is told of a run's events in their order."""
    DRAINED = "drained"
    """A worker that is asked to stop finishes what it runs."""


class Violation(NamedTuple):
    """A promise that was broken."""

    check: Check
    run_id: str
    what: str

    def __str__(self) -> str:
        return f"{self.check.value}: {self.run_id}: {self.what}"
