"""Tenants may have keys of their own with providers; they stand in a file of the workers."""

from __future__ import annotations

import logging
from contextlib import aclosing
from pathlib import Path

import pytest

from relayline.activities.model.port import ProviderError, UnknownModel
from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.activities.model.providers.tenant_keys import BadTenantKeys, open_keys
from relayline.runtime.settings import Settings
from tests.activities.model.providers.asking import ask, prompt
from tests.activities.model.providers.conftest import KEY
from tests.activities.model.providers.stand_in import StandIn

ACME, NEWER = "sk-of-acme-0123456789", "sk-of-acme-9876543210"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tenants.toml"
    path.write_text(f'[acme]\ncompatible = "{ACME}"\n[beta]\nopenai = "sk-of-beta"\n')
    return path


def rotated(file: Path) -> None:
    file.write_text(f'[acme]\ncompatible = "{NEWER}"\n')


async def test_a_tenant_calls_with_its_own_key_and_others_with_the_workers(
    stand_in: StandIn, file: Path
) -> None:
    config = ProviderConfig(stand_in.url, KEY, tenant_keys=open_keys(file))
    async with aclosing(provider_for(config)) as providers:
        model = providers("compatible:text")
        for tenant in ("acme", "beta", "default", "acme"):
            await ask(model, prompt("hi")._replace(tenant=tenant))
        rotated(file)
        await ask(model, prompt("hi")._replace(tenant="acme"))
    assert stand_in.keys == [ACME, KEY, KEY, ACME, NEWER]


async def test_a_tenants_key_is_cut_out_of_what_the_provider_says(
    stand_in: StandIn, file: Path
) -> None:
    config = ProviderConfig(stand_in.url, tenant_keys=open_keys(file))
    async with aclosing(provider_for(config)) as providers:
        with pytest.raises(ProviderError) as caught:
            await ask(providers("compatible:401"), prompt("hi")._replace(tenant="acme"))
    assert stand_in.keys == [ACME]
    assert ACME not in str(caught.value)
    assert "[redacted]" in str(caught.value)


async def test_without_a_key_of_the_worker_only_tenants_with_one_can_call(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    async with aclosing(provider_for(ProviderConfig(tenant_keys=open_keys(file)))) as providers:
        with pytest.raises(UnknownModel, match="set OPENAI_API_KEY"):
            await ask(providers("openai:gpt"), prompt("hi")._replace(tenant="acme"))
        with pytest.raises(UnknownModel, match="set ANTHROPIC_API_KEY"):
            providers("anthropic:claude")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[acme", "is no TOML"),
        ('acme = "sk-secret"', "acme is no table"),
        ('[ACME]\nopenai = "sk-secret"', "'ACME' can't be the name of a tenant"),
        ('[acme]\nnobody = "sk-secret"', "acme.nobody: there are openai, "),
        ('[acme]\nopenai = "sk secret"', "acme.openai is no key"),
        ('[acme]\nopenai = ""', "acme.openai is no key"),
        ("[acme]\nopenai = 1", "acme.openai is no key"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused_without_quoting_it(
    tmp_path: Path, text: str, why: str
) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    with pytest.raises(BadTenantKeys) as told:
        open_keys(path)
    assert why in str(told.value)
    assert "secret" not in str(told.value)
    assert told.value.__cause__ is None


def test_a_file_that_breaks_later_leaves_the_last_good_keys(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = open_keys(file)
    file.write_text("[acme")
    with caplog.at_level(logging.WARNING):
        assert keys.find("acme", "compatible") == ACME
    file.unlink()
    assert keys.find("acme", "compatible") == ACME
    assert ACME not in caplog.text
    assert "last good keys" in caplog.text
    assert (keys.find("acme", "openai"), keys.knows("openai")) == ("", True)
    with pytest.raises(BadTenantKeys, match="can't be read"):
        open_keys(file)


def test_without_a_file_there_are_no_tenant_keys(tmp_path: Path) -> None:
    none = open_keys(Settings().tenant_keys_file)
    assert (none.find("acme", "openai"), none.knows("openai")) == ("", False)
    hidden = Settings(tenant_keys_file=tmp_path / "k", secret_file=tmp_path / "s").own_files
    assert {tmp_path / "k", tmp_path / "s"} <= {*hidden}
