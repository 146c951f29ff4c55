"""The setting that says which private hosts may be fetched from."""

from __future__ import annotations

import pytest

from relayline.runtime.settings import BadSettings, load_settings

NAME = "RELAYLINE_FETCH_ALLOW"


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("", ()),
        ("wiki", ("wiki",)),
        ("Wiki, 10.0.0.7:8080,", ("wiki", "10.0.0.7:8080")),
        ('["wiki", "::1"]', ("wiki", "::1")),
    ],
)
def test_hosts_are_listed_with_commas_or_as_json(
    monkeypatch: pytest.MonkeyPatch, value: str, hosts: tuple[str, ...]
) -> None:
    monkeypatch.setenv(NAME, value)
    assert load_settings().fetch_allow == hosts


@pytest.mark.parametrize("value", ["[::1]:80", "[1]"])
def test_what_is_no_list_of_hosts_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(BadSettings, match=f"^{NAME} is [^\\n]*$"):
        load_settings()
