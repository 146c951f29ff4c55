"""Secrets are cut out of every text, however it is split."""

from __future__ import annotations

import json
import logging
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayline.runtime.log_lines import LogLine
from relayline.runtime.process import redactor_of
from relayline.runtime.redaction import HIDDEN, Redactor, own_secrets
from relayline.runtime.settings import Settings

KEY = 'sk-ü"4f9c/8e2a71=d0b6'
LONGER = "aaabaaabaaabaaabaaab"
INNER = LONGER[:16]
REDACTOR = Redactor([KEY, LONGER, INNER])
PIECES = st.lists(st.sampled_from(["a", "b", "aaab", "s", "sk-", KEY, KEY[:9], KEY[9:], LONGER]))


@given(pieces=PIECES, cuts=st.lists(st.integers(0, 200)))
def test_no_split_of_a_text_lets_a_secret_through(pieces: list[str], cuts: list[int]) -> None:
    text = "".join(pieces)
    stream, at, shown = REDACTOR.stream(), 0, ""
    for cut in sorted(cuts):
        shown += stream.feed(text[at:cut])
        at = max(at, cut)
    shown += stream.feed(text[at:]) + stream.flush()
    assert KEY not in shown
    assert INNER not in shown
    assert shown == REDACTOR.clean(text)


@given(text=st.text())
def test_text_without_secrets_is_left_as_it_is(text: str) -> None:
    assert REDACTOR.clean(text) == text


def test_only_the_beginning_of_a_secret_is_held_back() -> None:
    stream = Redactor([KEY]).stream()
    assert stream.feed("the key is sk-ü") == "the key is "
    assert stream.feed("nny weather") == "sk-ünny weather"
    assert stream.feed(f"{KEY}.") == f"{HIDDEN}."


@pytest.mark.parametrize("form", [KEY, json.dumps(KEY), json.dumps({"k": KEY}), quote(KEY, "")])
def test_escaped_secrets_go_too(form: str) -> None:
    said = REDACTOR.clean(f"before {form} after")
    assert HIDDEN in said
    assert said.startswith("before ")
    assert said.endswith(" after")
    assert "4f9c" not in said


def test_the_most_of_a_secret_at_the_end_of_a_cut_text_goes_too() -> None:
    assert REDACTOR.clean(f"x{KEY[:-1]}") == f"x{HIDDEN}"
    assert REDACTOR.clean(f"x{KEY[:5]}") == f"x{KEY[:5]}"


def test_arguments_are_cleaned_at_any_depth() -> None:
    deep: dict[str, object] = {"a": [{"b": [f"<{KEY}>"]}, 1, None], KEY: True}
    assert Redactor([KEY]).clean_json(deep) == {  # type: ignore[arg-type]
        "a": [{"b": [f"<{HIDDEN}>"]}, 1, None],
        HIDDEN: True,
    }
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    Redactor([KEY]).clean_json({"n": nested})  # type: ignore[dict-item]


def test_the_secrets_are_keys_passwords_and_what_is_named() -> None:
    environment = {
        "OPENAI_API_KEY": "sk-1111111111111111",
        "RELAYLINE_SIGNING_KEY": "2222222222222222",
        "RELAYLINE_PAYLOAD_KEYS": "new:3333333333333333,old:4444444444444444",
        "OLLAMA_BASE_URL": "http://user:5555555555555555@host/v1",
        "GITHUB_TOKEN": "ghp_666666666666666666",
        "HARMLESS": "7777777777777777",
    }
    journal = "postgresql://me:88888888%2F88888888@db/journal"
    secrets = own_secrets(environment, ["GITHUB_TOKEN", "UNSET"], journal)
    assert secrets == {
        *("sk-1111111111111111", "2222222222222222", "3333333333333333", "4444444444444444"),
        "dXNlcjo1NTU1NTU1NTU1NTU1NTU1",  # user:5555555555555555, as a header has it
        *("5555555555555555", "ghp_666666666666666666", "88888888%2F88888888", "88888888/88888888"),
    }


def test_short_values_are_left_alone() -> None:
    assert Redactor(["fifteen-letters"]).clean("fifteen-letters") == "fifteen-letters"
    assert Redactor(["sixteen--letters"]).clean("sixteen--letters") == HIDDEN
    assert Redactor(["hunter2", "short"], 6).clean("hunter2 is short") == f"{HIDDEN} is short"


def test_the_setting_names_more_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_666666666666666666")
    monkeypatch.setenv("RELAYLINE_REDACT", "GITHUB_TOKEN, OTHER")
    assert redactor_of(Settings()).clean("x ghp_666666666666666666") == f"x {HIDDEN}"


def test_a_log_line_and_its_traceback_have_no_secret() -> None:
    lines = LogLine()
    lines.clean = REDACTOR.clean
    error = ValueError(f"bad key {KEY}")
    told = (type(error), error, None)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed with %s", (KEY,), told)
    said = lines.format(record)
    assert "4f9c" not in said
    assert said.count(HIDDEN) == 2
