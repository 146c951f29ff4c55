"""The settings document themselves."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise

import pytest

from relayline.runtime.payloads.key_settings import PayloadKeySettings
from relayline.runtime.setting_groups.access_settings import AccessSettings
from relayline.runtime.setting_groups.oidc_settings import OidcSettings
from relayline.runtime.setting_groups.quota_settings import QuotaSettings
from relayline.runtime.setting_groups.webhook_settings import WebhookSettings
from relayline.runtime.settings import Settings

UNITS = {"_s": "Seconds", "_days": "Days", "_bytes": "bytes"}


def sentences() -> dict[str, str]:
    """What stands below each field."""
    parts = (
        AccessSettings,
        OidcSettings,
        PayloadKeySettings,
        QuotaSettings,
        WebhookSettings,
        Settings,
    )
    classes = [cls for part in parts for cls in ast.parse(inspect.getsource(part)).body]
    return {
        field.target.id: below.value.value
        for cls in classes
        if isinstance(cls, ast.ClassDef)
        for field, below in pairwise(cls.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_has_a_sentence_with_its_unit(name: str) -> None:
    text = sentences()[name]
    assert text[0].isupper() or text[0].isdigit()
    assert text.endswith(".")
    for ending, unit in UNITS.items():
        if name.endswith(ending):
            assert unit in text
