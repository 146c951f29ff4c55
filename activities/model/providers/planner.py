"""The demo planner: answers plain text by simple rules, with tools but without a model. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from relayline.catalog.rehearsal import Item, ManyCalls, PlannedTool, Say
from relayline.contracts.messages import (
    AssistantMessage,
    Message,
    OmittedMessages,
    ToolCall,
    ToolMessage,
)
from relayline.contracts.runs import ToolSpec

PACE_MS = 15
MAX_FILES = 4
MAX_SEARCHES = 2
MAX_EXPRESSIONS = 3
MAX_READ_CHARS = 2000
"""The rules read only so many characters of a text, so that they are fast on any input."""
QUOTE_CHARS = 160

_EXTENSIONS = "md|txt|rst|py|toml|json|ya?ml|ini|cfg|csv|html?|css|js|ts|sh|sql|xml|log|lock"
_FILE = re.compile(
    rf"(?<![\w/.:@-])(?:[\w.-]+/)*(?:[\w-][\w.-]*\.(?:{_EXTENSIONS})|Makefile|LICENSE|Dockerfile)"
    r"(?![\w/-])"
)
_NUMBER = r"\(*\s*\d+(?:\.\d+)?\s*\)*"
_ARITHMETIC = re.compile(rf"(?<![\w./-]){_NUMBER}(?:\s*(?:\*\*|//|[-+*/%])\s*{_NUMBER})+(?![\w/-])")
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}")
_SPOKEN_OPERATORS = (
    (re.compile(r"(?<=\d)\s+times\s+(?=[\d(])|(?<=[\d)\s])[\u00d7x](?=[\s\d(])"), " * "),
    (re.compile(r"(?<=\d)\s+plus\s+(?=[\d(])"), " + "),
    (re.compile(r"(?<=\d)\s+minus\s+(?=[\d(])"), " - "),
    (re.compile(r"(?<=\d)\s+divided by\s+(?=[\d(])|(?<=[\d)\s])\u00f7(?=[\s\d(])"), " / "),
)
_WORD = re.compile(r"[^\W\d_][\w-]{3,}")
_STOP_WORDS_TEXT = """
about above after again also answer been before being below between both briefly could does
doing down each explain file files find from give have here hello into just know like look
made make many might more most much must need only other over please project read said same
says search shall should show some such summarise summarize tell than thank thanks that their
them then there these they thing things this those through under until using very want were
what when where which while whom whose will with word words would write your
"""
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())


class _Return(NamedTuple):
    """A call with its result."""

    call: ToolCall
    result: ToolMessage


def plan(text: str, since: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Item, ...]:
    """The next items to play for a plain text.

    There are at most three steps: look things up, read the first file that a search found, answer.

    Args:
        text: The newest user message.
        since: The messages after it.
        tools: The agent's tools.
    """
    text = text[:MAX_READ_CHARS]
    answers = [it for it in since if isinstance(it, AssistantMessage) and not it.interrupted]
    returns = _returns(answers, since)
    number = answers_since(since)
    calls = _first_calls(text, tools) if not number else ()
    if number == 1:
        calls = _second_calls(returns, tools)
    if not calls:
        return (Say(say=_report(text, returns), every_ms=PACE_MS),)
    names = " and ".join(dict.fromkeys(call.name for call in calls))
    intro = f"I will use {names} first. " if not number else f"Now {names}, for the details. "
    return (Say(say=intro, every_ms=PACE_MS), ManyCalls(calls=calls))


def answers_since(messages: Sequence[Message]) -> int:
    """The number of whole answers, including those that a compaction left out."""
    whole = sum(isinstance(it, AssistantMessage) and not it.interrupted for it in messages)
    return whole + sum(it.answers for it in messages if isinstance(it, OmittedMessages))


def _first_calls(text: str, tools: Sequence[ToolSpec]) -> tuple[PlannedTool, ...]:
    """Calls for the arithmetic and the files in the text, or a search if there are none."""
    files = list(dict.fromkeys(match.group() for match in _FILE.finditer(text)))[:MAX_FILES]
    calls = [
        *_calls(tools, "calculate", _expressions(text)),
        *_calls(tools, "read_file", files),
    ]
    return tuple(calls or _calls(tools, "search_files", _salient(text)))


def _second_calls(returns: Sequence[_Return], tools: Sequence[ToolSpec]) -> tuple[PlannedTool, ...]:
    """A call to read the first file that a search found, if only searches were made so far."""
    if any(it.call.name != "search_files" or it.result.is_error for it in returns):
        return ()
    outputs = (it.result.output[:MAX_READ_CHARS] for it in returns)
    found = next((match for output in outputs if (match := _FILE.search(output))), None)
    return tuple(_calls(tools, "read_file", [found.group()])) if found else ()


def _calls(tools: Sequence[ToolSpec], name: str, values: Sequence[str]) -> list[PlannedTool]:
    """One call for each value, if the agent has the tool and it has a parameter."""
    spec = next((spec for spec in tools if spec.name == name), None)
    argument = _argument(spec) if spec else None
    return [PlannedTool(name=name, arguments={argument: it}) for it in values] if argument else []


def _argument(spec: ToolSpec) -> str | None:
    """The main parameter of the tool: the first required one, or else the first one."""
    required, properties = spec.parameters.get("required"), spec.parameters.get("properties")
    names = [*required] if isinstance(required, list) else []
    names += [*properties] if isinstance(properties, dict) else []
    return next((name for name in names if isinstance(name, str)), None)


def _expressions(text: str) -> list[str]:
    for said, operator in _SPOKEN_OPERATORS:
        text = said.sub(operator, text)
    found = (match.group().strip() for match in _ARITHMETIC.finditer(_DATE.sub(" ", text)))
    balanced = (it for it in found if it.count("(") == it.count(")"))
    return list(dict.fromkeys(" ".join(it.split()) for it in balanced))[:MAX_EXPRESSIONS]


def _salient(text: str) -> list[str]:
    """The longest words that are no stop words, in the order of the text."""
    words = list(dict.fromkeys(it.lower() for it in _WORD.findall(text)))
    significant = [it for it in words if it not in _STOP_WORDS]
    chosen = sorted(significant, key=len, reverse=True)[:MAX_SEARCHES]
    return [it for it in significant if it in chosen]


def _returns(answers: Sequence[AssistantMessage], since: Sequence[Message]) -> list[_Return]:
    results = {it.call_id: it for it in since if isinstance(it, ToolMessage)}
    calls = [call for answer in answers for call in answer.tool_calls]
    return [_Return(call, results[call.call_id]) for call in calls if call.call_id in results]


def _report(text: str, returns: Sequence[_Return]) -> str:
    """An answer made from the results of the tools."""
    lines = [_sentence(it) for it in returns]
    if not lines:
        lines = [f"You said: “{_quote(text)}”. There was nothing in it to look up with my tools."]
    return "\n".join(["This is a rehearsal: no language model has written it.", *lines])


def _sentence(it: _Return) -> str:
    """A sentence about the result of one call."""
    about = _quote(str(next(iter(it.call.arguments.values()), "")))
    output = it.result.output
    if it.result.is_error:
        return f"{it.call.name} could not help with “{about}”: {_quote(output)}"
    match it.call.name:
        case "calculate":
            return f"{about} is {_quote(output)}."
        case "read_file":
            size = f"{len(output.splitlines())} lines and {len(output.split())} words"
            return f"{about} has {size}; it begins “{_quote(output)}”."
        case _:
            hits = [line for line in output.splitlines() if line.strip()]
            first = f", first “{_quote(hits[0])}”" if hits else ""
            return f"A search for “{about}” gave {len(hits)} lines{first}."


def _quote(text: str) -> str:
    line = " ".join(text[: QUOTE_CHARS * 2].split())
    return line if len(line) <= QUOTE_CHARS else line[: QUOTE_CHARS - 1] + "…"
