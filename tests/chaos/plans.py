"""What each run of the load does, and what people do to it: drawn from a seed. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """One run."""

    kind: str
    script: tuple[Item, ...]
    commands: tuple[tuple[float, str, dict[str, Any]], ...] = ()
    """Seconds after the submission, `redirect` and the like, its body."""
    answers: tuple[str, ...] = field(default=("happened: yes",))
    """What people answer to each next question what became of an unsafe tool."""
    agent: str = "chaos"
    fork: str = ""
    """With what it is forked once it has ended; empty: it is not."""
    open: bool = False
    """True for a conversation; it is closed when all commands were sent and it is idle."""

    @property
    def input(self) -> str:
        """As it is submitted."""
        return json.dumps({"rehearse": self.script})


def conversation(random: Random) -> Plan:
    """A conversation to which people say more, whether it is busy or idle."""
    messages: list[tuple[float, str, dict[str, Any]]] = []
    when = 0.0
    for number in range(random.randint(1, 5)):
        when += random.choice([0, 0.1, 1, 3])
        if_busy = random.choices(["queue", "redirect", "reject"], [6, 2, 2])[0]
        text = f"message {number}"
        if random.random() < 0.5:
            text = json.dumps({"rehearse": [_talk(random, 60), {"say": "done"}]})
        messages.append((when, "messages", {"content": text, "if_busy": if_busy}))
    if random.random() < 0.3:
        messages.append((when + random.uniform(0, 2), "cancel", {"scope": "turn"}))
    script = (_talk(random, 60), *[{"call": "note"}] * random.randint(0, 1), _talk(random, 30))
    return Plan("conversation", script, tuple(messages), open=True)


def family(random: Random) -> Plan:
    """A tree of runs, with what people do to it; or a run that is forked when it has ended."""
    if random.random() < 0.2:
        more = json.dumps({"rehearse": [_talk(random, 40), {"call": "note"}, {"say": "more"}]})
        return Plan("forked", (_talk(random, 60), {"call": "note"}, {"say": "done"}), fork=more)
    calls = [asks("helper", *_low(random)) for _ in range(random.randint(1, 3))]
    if random.random() < 0.5:
        calls.append(asks("middle", {"calls": [asks("helper", *_low(random))]}, {"say": "well"}))
    calls.append({"name": "note", "arguments": {"seconds": random.choice([0, 0.3, 2])}})
    when, commands = random.uniform(0.3, 4), list[tuple[float, str, dict[str, Any]]]()
    what = random.choices(["", "pause", "cancel", "redirect"], [5, 3, 2, 2])[0]
    if what == "pause":
        commands.append((when, "pause", {"now": random.random() < 0.5}))
        commands.append((when + random.uniform(0.2, 2), "resume", {}))
    elif what:
        commands.append((when, what, {"message": "never mind"} if what == "redirect" else {}))
    script = (_talk(random, 30), {"calls": calls}, _talk(random, 30))
    return Plan("family", script, tuple(commands), agent="top")


def served(random: Random) -> Plan:
    """Calls of an MCP server's tools, some side by side; a fifth of the runs are conversations."""
    seconds = random.choice([0, 0.3, 1.5])
    kinds: list[list[Item]] = [
        [{"name": "desk_note", "arguments": {"seconds": seconds}}, {"name": "note"}],
        [{"name": "desk_book", "arguments": {"seconds": seconds}}, {"name": "desk_edition"}],
        [{"name": "desk_book", "arguments": {"before_s": seconds}}, {"name": "desk_note"}],
        [{"name": "desk_sign"}],
        [{"name": "desk_choose"}],
        [{"name": "desk_edition"}, {"name": "desk_no_such_tool"}],
    ]
    script: list[Item] = []
    for calls in random.sample(kinds, random.randint(1, 3)):
        script += [_talk(random, 40), {"calls": calls}]
    answers = tuple(random.choices(["happened: yes", "run it", "stop"], [6, 4, 1], k=5))
    commands: list[tuple[float, str, dict[str, Any]]] = []
    open_ = random.random() < 0.2
    what = random.choices(["", "redirect", "cancel", "pause"], [7, 1, 1, 1])[0]
    if open_:
        more = json.dumps({"rehearse": [{"calls": random.choice(kinds)}, {"say": "more"}]})
        commands.append((random.uniform(0.2, 6), "messages", {"content": more}))
    elif what == "pause":
        commands += [(1.0, "pause", {"now": random.random() < 0.5}), (2.5, "resume", {})]
    elif what:
        body = {"message": "something else"} if what == "redirect" else {}
        commands.append((random.uniform(0.3, 6), what, body))
    plan = Plan("served", (*script, _talk(random, 40)), tuple(commands), answers, agent="clerk")
    return replace(plan, open=open_)


def asks(agent: str, *items: Item) -> Item:
    """A call of that agent, whose run plays the items."""
    message = json.dumps({"rehearse": items})
    return {"name": f"ask_{agent}", "arguments": {"message": message}}


def _low(random: Random) -> tuple[Item, ...]:
    """What a run at the bottom of a tree does."""
    ask = {"name": "ask_user", "arguments": {"question": "which one?"}}
    book = {"name": "book", "arguments": {"seconds": random.choice([0.2, 1])}}
    kinds: list[tuple[Item, ...]] = [
        (_talk(random, 80),),
        ({"calls": [{"name": "note"}, book]}, _talk(random, 30)),
        (_talk(random, 20), {"calls": [ask]}, {"say": "so"}),
        ({"calls": [{"name": "sign"}]}, {"say": "signed"}),
        (_talk(random, 20), {"fail": 401}),
    ]
    return random.choice(kinds)


def plan(random: Random) -> Plan:
    """The next run, each kind as often as its weight says."""
    kinds = list(_KINDS)
    [make] = random.choices(kinds, [_KINDS[kind] for kind in kinds])
    return make(random)


def brief(random: Random) -> Plan:
    """A run of a moment; half of them wait for a person first."""
    ask = {"call": "ask_user", "arguments": {"question": "which one?"}}
    return Plan("brief", (*[ask] * random.randint(0, 1), {"say": "done"}))


def _talk(random: Random, most: int = 150) -> Item:
    return {"tokens": random.randint(5, most), "every_ms": random.choice([5, 10, 20, 30])}


def _tokens(random: Random) -> Plan:
    return Plan("tokens", (_talk(random, 250),))


def _tools(random: Random) -> Plan:
    calls = [
        {"name": "note", "arguments": {"seconds": random.choice([0, 0.3, 1])}},
        {"name": "sleep", "arguments": {"seconds": random.choice([0.1, 0.8])}},
        {"name": "calculate", "arguments": {"expression": "6*7"}},
        {"name": "stumble"},
        {"name": "no_such_tool"},
    ]
    several = {"calls": random.sample(calls, random.randint(1, 4))}
    think = {"think": "hm " * random.randint(1, 30), "every_ms": 10}
    return Plan("tools", (think, _talk(random, 40), several, {"call": "note"}, _talk(random)))


def _approval(random: Random) -> Plan:
    calls = {"calls": [{"name": "sign"}, {"name": "note"}]}
    return Plan("approval", (_talk(random, 30), calls, _talk(random, 60)))


def _question(random: Random) -> Plan:
    ask = {"call": "ask_user", "arguments": {"question": "which one?"}}
    return Plan("question", (_talk(random, 30), ask, _talk(random, 60)))


def _unsafe(random: Random) -> Plan:
    seconds = random.choice([0.2, 1, 2])
    calls = {"calls": [{"name": "book", "arguments": {"seconds": seconds}}, {"name": "note"}]}
    answers = random.choices(["happened: yes", "run it", "stop"], [6, 3, 1], k=5)
    return Plan("unsafe", (calls, _talk(random, 60)), answers=tuple(answers))


def _failing(random: Random) -> Plan:
    fail = {"fail": random.choice([429, 500]), "times": random.randint(1, 2), "retry_after_s": 0.2}
    return Plan("failing", (_talk(random, 40), fail, _talk(random, 40)))


def _refused(random: Random) -> Plan:
    later = (random.uniform(0.1, 1), "redirect", {"message": "later", "now": False})
    return Plan("refused", (_talk(random, 60), {"fail": 401}), (later,))


def _redirected(random: Random) -> Plan:
    calls = {"calls": [{"name": "sleep", "arguments": {"seconds": 1}}, {"name": "book"}]}
    body = {"message": "something else", "now": random.random() < 0.8}
    when = random.uniform(0.1, 4)
    return Plan("redirected", (_talk(random), calls, _talk(random)), ((when, "redirect", body),))


def _cancelled(random: Random) -> Plan:
    when = random.uniform(0.1, 3)
    script = (_talk(random), {"call": "note"}, {"say": "done"})
    return Plan("cancelled", script, ((when, "cancel", {}),))


def _paused(random: Random) -> Plan:
    when = random.uniform(0.1, 2)
    pause = (when, "pause", {"now": random.random() < 0.5})
    resume: tuple[float, str, dict[str, Any]] = (when + random.uniform(0.2, 2), "resume", {})
    return Plan("paused", (_talk(random), {"call": "note"}, _talk(random)), (pause, resume))


_KINDS: dict[Callable[[Random], Plan], int] = {
    _tokens: 30,
    _tools: 20,
    _approval: 7,
    _question: 6,
    _unsafe: 12,
    _failing: 7,
    _refused: 3,
    _redirected: 7,
    _cancelled: 4,
    _paused: 4,
}
