"""A model's text in Temporal's Web UI is shown as it is and does nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.api.temporal.execution import details
from relayline.contracts.runs import AgentSpec, Limits, RunInput, RunStatus, Waiting
from relayline.projections.markdown import code_span
from relayline.workflows.state import RunState

HOSTILE = "look ![x](http://evil.example/p.png) [click](http://evil.example) <b>`` ` \n\n# title"


def outside_code(markdown: str) -> str:
    """What is left without code spans and fences, by CommonMark's rule for backticks."""
    return re.sub(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown, flags=re.DOTALL)


@given(text=st.text() | st.text("`a ![]()<\n"))
def test_nothing_of_a_text_is_outside_its_code_span(text: str) -> None:
    span = code_span(text)
    assert "\n" not in span
    assert outside_code(span) == ""


@pytest.mark.parametrize(
    ("text", "span"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("`a`", "`` `a` ``"), ("a\n b\x1b[0m", "`a b [0m`")],
)
def test_a_text_is_fenced_by_more_backticks_than_it_has(text: str, span: str) -> None:
    assert code_span(text) == span


def test_what_a_run_waits_for_and_its_prompt_are_code() -> None:
    waiting = Waiting(kind="input", id="request_1_0", what=HOSTILE)
    state = RunState(
        started_at=datetime.now(UTC),
        limits=Limits(),
        status=RunStatus.WAITING,
        waiting_for=(waiting,),
        running_tools=(HOSTILE,),
    )
    agent = AgentSpec(name="assistant", model="rehearsal")
    run = RunInput(run_id="run_0123456789abcdef", agent=agent, input=HOSTILE)
    prompt = details(run)
    link = "[watch and steer it](https://runs.example/runs/run_0123456789abcdef)"
    assert details(run, "https://runs.example/") == f"{prompt}\n\n{link}"
    for markdown in (state.details("--workflow-id run_1"), prompt):
        assert "evil.example" in markdown
        left = outside_code(markdown)
        for mark in ("evil", "![", "<b>", "# title"):
            assert mark not in left
