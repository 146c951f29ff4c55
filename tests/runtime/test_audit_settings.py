"""The settings of the audit log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from relayline.runtime.settings import BadSettings, load_settings

NAME = "RELAYLINE_AUDIT_RETENTION_DAYS"


def test_a_year_is_kept_by_default_and_nothing_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    settings = load_settings()
    assert (settings.audit_retention, settings.audit_stdout) == (timedelta(days=365), False)


@pytest.mark.parametrize(
    ("value", "retention"), [("", None), ("0", None), ("0.5", timedelta(hours=12))]
)
def test_rows_are_kept_for_days_or_for_ever(
    monkeypatch: pytest.MonkeyPatch, value: str, retention: timedelta | None
) -> None:
    monkeypatch.setenv(NAME, value)
    monkeypatch.setenv("RELAYLINE_AUDIT_STDOUT", "true")
    settings = load_settings()
    assert (settings.audit_retention, settings.audit_stdout) == (retention, True)
    assert settings.retention == timedelta(days=7)


def test_a_malformed_number_of_days_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "-1")
    with pytest.raises(BadSettings, match=NAME):
        load_settings()
