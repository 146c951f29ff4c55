"""Settings of an OpenID provider, of rates and of quotas: their forms."""

from __future__ import annotations

import pytest

from relayline.runtime.settings import BadSettings, Settings, load_settings


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OIDC_ISSUER", "issuer.example", "https://NAME"),
        ("OIDC_ISSUER", "http://issuer.example", "https://NAME"),
        ("OIDC_ISSUER", "https://issuer.example/?a=b", "https://NAME"),
        ("OIDC_ISSUER", "https://user:pw@issuer.example", "https://NAME"),
        ("OIDC_ROLES", "viewer=runs:fly", "runs:read"),
        ("OIDC_ROLES", "viewer", "ROLE="),
        ("OIDC_ROLE_CLAIM", "", "at least 1"),
        ("OIDC_TENANT_CLAIM", "", "at least 1"),
        ("RATES", "read=1", "submit=20/s"),
        ("TENANT_RATES", "all=1/s", "submit=20/s"),
        ("QUOTAS", "runs=3", "open_runs"),
    ],
)
def test_a_value_that_can_not_be_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"RELAYLINE_{name}", value)
    with pytest.raises(BadSettings, match=f"^RELAYLINE_{name} is .*{says}"):
        load_settings()


@pytest.mark.parametrize("missing", ["OIDC_ISSUER", "OIDC_AUDIENCE"])
def test_an_issuer_needs_an_audience(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("RELAYLINE_OIDC_ISSUER", "https://issuer.example/realms/team")
    monkeypatch.setenv("RELAYLINE_OIDC_AUDIENCE", "relayline")
    monkeypatch.setenv("RELAYLINE_AUTH", "oidc")
    assert load_settings().auth_modes == {"oidc"}
    monkeypatch.delenv(f"RELAYLINE_{missing}")
    with pytest.raises(BadSettings, match="RELAYLINE_OIDC_AUDIENCE"):
        load_settings()


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080/realm", "http://[::1]:1", "http://localhost"]
)
def test_an_issuer_on_this_machine_may_speak_http(url: str) -> None:
    assert Settings(oidc_issuer=url).oidc_issuer == url
