"""The setting that says how long ended runs are kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relayline.runtime.settings import BadSettings, load_settings

NAME = "RELAYLINE_RETENTION_DAYS"


def test_a_week_is_kept_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    assert load_settings().retention == timedelta(days=7)


@pytest.mark.parametrize(
    ("value", "retention"),
    [("", None), ("0", None), ("0.5", timedelta(hours=12)), ("30", timedelta(days=30))],
)
def test_days_are_kept_and_none_means_for_ever(
    monkeypatch: pytest.MonkeyPatch, value: str, retention: timedelta | None
) -> None:
    monkeypatch.setenv(NAME, value)
    assert load_settings().retention == retention


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "a week", "1e9"])
def test_what_is_no_number_of_days_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(BadSettings, match=f"{NAME} is '{value}'"):
        load_settings()
