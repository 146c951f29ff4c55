"""Settings of authentication: their forms, the file of the secret, and a start that is refused."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from relayline.api.app import Unguarded, serve
from relayline.runtime.process import redactor_of
from relayline.runtime.redaction import own_secrets
from relayline.runtime.secret import load_secrets, short_secrets, tool_secrets
from relayline.runtime.settings import BadSettings, Settings, load_settings

SECRET = "a:" + "s" * 40


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("off", set()),
        ("off-behind-proxy", set()),
        ("keys", {"keys"}),
        ("oidc", {"oidc"}),
        ("keys, oidc", {"keys", "oidc"}),
    ],
)
def test_authentication_has_few_forms(text: str, modes: set[str]) -> None:
    settings = Settings(auth=text, oidc_issuer="https://issuer.example", oidc_audience="relayline")
    assert settings.auth_modes == modes


@pytest.mark.parametrize("text", ["", "on", "off,keys", "keys,keys", "keys,", "KEYS"])
def test_another_form_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("RELAYLINE_AUTH", text)
    with pytest.raises(BadSettings, match="RELAYLINE_AUTH"):
        load_settings()


@pytest.mark.parametrize("fields", [{"key_environment": "Live"}, {"key_environment": "x" * 17}])
def test_a_bad_part_of_keys_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**fields)


def test_a_bad_secret_is_never_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RELAYLINE_SECRET", "hunter2")
    with pytest.raises(BadSettings, match="RELAYLINE_SECRET") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)
    monkeypatch.delenv("RELAYLINE_SECRET")
    file = tmp_path / "secret"
    for content in (b"hunter2", b"\xff\xfe"):
        file.write_bytes(content)
        with pytest.raises(BadSettings, match="RELAYLINE_SECRET") as refused:
            load_secrets(Settings(secret_file=file), make=False)
        assert "hunter2" not in str(refused.value)
    with pytest.raises(BadSettings, match="can't be read"):
        load_secrets(Settings(secret_file=tmp_path / "none"), make=False)


def test_the_secret_comes_from_the_setting_a_file_or_the_data_folder(tmp_path: Path) -> None:
    file = tmp_path / "given"
    file.write_text(f"{SECRET}\n")
    given = load_secrets(Settings(secret=SECRET), make=False)
    named = load_secrets(Settings(secret_file=file), make=False)
    assert given.derived("x") == named.derived("x")
    fresh = Settings(data_dir=tmp_path / "data")
    assert not load_secrets(fresh, make=False)
    made = load_secrets(fresh, make=True)
    own = fresh.data_dir / "secret"
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert [*fresh.data_dir.iterdir()] == [own]
    assert load_secrets(fresh, make=True).derived("x") == made.derived("x")
    assert load_secrets(fresh, make=False).derived("x") == made.derived("x")
    elsewhere = Settings(data_dir=fresh.data_dir, journal="postgresql://u@h/d")
    assert not load_secrets(elsewhere, make=True)
    with pytest.raises(BadSettings, match="RELAYLINE_AUTH is keys: it needs RELAYLINE_SECRET"):
        load_secrets(elsewhere.model_copy(update={"auth": "keys"}), make=True)


def test_a_secret_in_a_file_is_cut_out_of_what_is_shown(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    [secret] = load_secrets(settings, make=True).texts()
    assert redactor_of(settings).clean(f"<{secret}>") == "<[redacted]>"
    file = tmp_path / "given"
    file.write_text(f"{SECRET}\n")
    named = redactor_of(Settings(data_dir=tmp_path, secret_file=file))
    assert named.clean(SECRET) == "a:[redacted]"
    assert file in Settings(secret_file=file).own_files


def test_the_keys_of_tenants_with_providers_are_cut_out_of_what_is_shown(tmp_path: Path) -> None:
    file, key = tmp_path / "tenants.toml", "of-acme-0123456789"
    file.write_text(f'[acme]\nopenai = "{key}"\n')
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    redactor = redactor_of(Settings(data_dir=tmp_path, tenant_keys_file=file))
    assert redactor.clean(f"<{key}> {SECRET}") == "<[redacted]> a:[redacted]"
    file.write_text("[acme")
    assert redactor_of(Settings(data_dir=tmp_path, tenant_keys_file=file)).clean(key) == key


@pytest.mark.parametrize(
    ("given", "tenants"),
    [("", set()), ("all", {"all"}), ("acme, blue-2", {"acme", "blue-2"}), ("a,,b,", {"a", "b"})],
)
def test_four_eyes_names_tenants(given: str, tenants: set[str]) -> None:
    assert Settings(four_eyes=given).four_eyes_tenants == tenants


@pytest.mark.parametrize("given", ["Acme", "a b", "a;b", "-a"])
def test_four_eyes_with_a_malformed_tenant_is_refused(given: str) -> None:
    with pytest.raises(ValidationError, match="is no tenant"):
        Settings(four_eyes=given)


def test_processes_that_start_together_have_one_secret(tmp_path: Path) -> None:
    program = (
        "from relayline.runtime.secret import load_secrets\n"
        "from relayline.runtime.settings import Settings\n"
        "print(load_secrets(Settings(), make=True).derived('x')[0].secret.hex())"
    )
    env = os.environ | {"RELAYLINE_DATA_DIR": str(tmp_path / "data")}
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([sys.executable, "-c", program], env=env, stdout=pipe) for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in started} - {b""}) == 1


def test_the_secret_is_cut_out_of_logs() -> None:
    found = own_secrets({"RELAYLINE_SECRET": f"{SECRET},b:{'t' * 40}", "RELAYLINE_API_KEY": "k"})
    assert found == {"s" * 40, "t" * 40, "k"}


async def test_an_api_that_others_reach_does_not_start_without_authentication() -> None:
    with pytest.raises(Unguarded, match="RELAYLINE_AUTH=keys"):
        await serve(Settings(api_host="0.0.0.0"))  # noqa: S104


def test_secrets_of_tools_are_the_files_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "crm_token").write_text("crm-token-0123456789\n")
    (folder / "short").write_text("abc")
    (folder / ".hidden").write_text("not a name")
    (folder / "below").mkdir()
    given = Settings(data_dir=tmp_path, tool_secrets=folder)
    assert tool_secrets(given) == {"crm_token": "crm-token-0123456789", "short": "abc"}
    assert redactor_of(given).clean("it is crm-token-0123456789") == "it is [redacted]"
    assert folder in given.own_files
    [warning] = short_secrets(given)
    assert "the secret short in RELAYLINE_TOOL_SECRETS" in warning
    assert tool_secrets(Settings(data_dir=tmp_path)) == {}
    nowhere = Settings(data_dir=tmp_path, tool_secrets=tmp_path / "none")
    with pytest.raises(BadSettings, match=r"TOOL_SECRETS, .*none, can't be read: No such file"):
        tool_secrets(nowhere)
    assert redactor_of(nowhere).clean("crm") == "crm", "an API process has no such folder"
