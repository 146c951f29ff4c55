"""Names in instructions: which there are, and that everything else is text."""

from __future__ import annotations

import pytest

from relayline.catalog.agents import Agent, CatalogError
from relayline.catalog.load import catalog_of
from relayline.catalog.templates import filled, is_template

VALUES = {"tenant": "acme", "user": "ann {date}", "metadata.team": "blue", "date": "2026-01-31"}


@pytest.mark.parametrize(
    ("instructions", "becomes"),
    [
        ("You work for {user} of {tenant}.", "You work for ann {date} of acme."),
        ("Team {metadata.team}, {metadata.none}!", "Team blue, !"),
        ("{date}{date} {{date}}", "2026-01-312026-01-31 {date}"),
    ],
)
def test_each_name_is_replaced_once(instructions: str, becomes: str) -> None:
    assert is_template(instructions)
    assert filled(instructions, VALUES) == becomes


@pytest.mark.parametrize(
    "text", ["", "Be brief.", '{"a": {"b": 1}}', "{ user }", "{}", "{1}", "f(x) {return x}"]
)
def test_other_braces_are_text(text: str) -> None:
    assert not is_template(text)


@pytest.mark.parametrize("name", ["secrets", "step", "User", "metadata", "tenant.name", "env.HOME"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match="unknown name") as refused:
        is_template(f"For {{{name}}}.")
    assert "{metadata.KEY}" in str(refused.value)
    assert f"{{{{{name}}}}}" in str(refused.value)
    assert is_template(f"For {{{{{name}}}}}.")


def test_an_agent_s_instructions_are_a_template_if_they_have_names() -> None:
    def is_one(instructions: str) -> bool:
        declared = [Agent("clerk", instructions)]
        return catalog_of("shop", declared, [], "rehearsal").agents["clerk"].template

    assert is_one("You help {user}.")
    assert not is_one("You help.")
    with pytest.raises(CatalogError, match=r"agent 'clerk': instructions: unknown name \{key\}"):
        is_one("The key is {key}.")
