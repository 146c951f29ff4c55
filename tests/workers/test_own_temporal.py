"""A Temporal that is not ours to configure: TLS, profiles, and what its namespace lacks."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client

from relayline.dev.temporal_server import find_binary
from relayline.journal.sqlite.journal import SqliteJournal
from relayline.runtime.namespace import NamespaceUnfit, check_namespace
from relayline.runtime.payloads.ring import NO_KEYS
from relayline.runtime.settings import Settings
from relayline.runtime.temporal import (
    TemporalUnreachable,
    configured_address,
    connect,
    data_converter,
)
from tests.api.serving import Api, serving
from tests.console.test_cli import Ended, relayline
from tests.workers.tls import Authority, tls_front

pytestmark = pytest.mark.slow

SECRET = "sk-very-secret"  # noqa: S105
ROOT = Path(__file__).parents[2]
BOUND_S = 15


def operator(temporal: Client, command: str) -> None:
    """Run a line of Temporal's CLI as our messages give it."""
    words = command.split()
    assert words[:2] == ["temporal", "operator"], command
    address = temporal.service_client.config.target_host
    subprocess.run(
        [str(find_binary()), *words[1:], "--address", address],
        check=True,
        capture_output=True,
        timeout=BOUND_S,
    )


async def worker(temporal: Client, data_dir: Path, **env: str) -> Ended:
    """A worker that is expected to give up."""
    address = temporal.service_client.config.target_host
    return await relayline(
        "worker", env={"TEMPORAL_ADDRESS": address, "RELAYLINE_DATA_DIR": str(data_dir), **env}
    )


async def submitted(api: Api) -> dict[str, Any]:
    answer = await api.http.post("/v1/runs", json={"agent": "assistant", "input": "hi"})
    assert answer.status_code == 503
    problem: dict[str, Any] = answer.json()
    return problem


async def client_of(temporal: Client, namespace: str) -> Client:
    address = temporal.service_client.config.target_host
    return await Client.connect(address, namespace=namespace, data_converter=data_converter)


def commands(message: str) -> list[str]:
    return [part for part in message.split("`")[1::2] if part.startswith("temporal ")]


async def test_a_worker_refuses_a_namespace_and_gives_the_commands_that_help(
    own_temporal: Client, tmp_path: Path
) -> None:
    async def refused() -> str:
        said = await worker(own_temporal, tmp_path, TEMPORAL_NAMESPACE="bare")
        assert said.code == 1
        [line] = said.err.splitlines()
        return line.removeprefix("relayline worker: ")

    absent = await refused()
    assert absent.startswith("Temporal has no namespace 'bare'")
    [create] = commands(absent)
    operator(own_temporal, create.replace("7d", "2h"))
    lacking = await refused()
    assert "keeps ended runs for 0.083" in lacking
    assert "lacks search attributes" in lacking
    assert "tcld namespace search-attributes add" in lacking
    for command in commands(lacking):
        operator(own_temporal, command.replace("--retention 1d", "--retention 30h"))
    bare = await client_of(own_temporal, "bare")
    [warning] = await check_namespace(bare, Settings().retention)
    assert "'bare' keeps ended runs for 1.25 days only" in warning
    [command] = commands(warning)
    operator(own_temporal, command)
    assert await check_namespace(bare, Settings().retention) == []
    assert await check_namespace(bare, None) == []


async def test_an_api_says_what_its_namespace_lacks_until_it_has_it(
    own_temporal: Client, journal: SqliteJournal
) -> None:
    operator(own_temporal, "temporal operator namespace create --namespace bare --retention 7d")
    bare = await client_of(own_temporal, "bare")
    async with serving(Settings(), journal, bare) as api, asyncio.timeout(BOUND_S):
        problem = await submitted(api)
        assert problem["type"] == "urn:relayline:problem:namespace-unfit"
        assert "no mapping defined for search attribute" in problem["detail"]
        unready = await api.http.get("/readyz")
        assert unready.status_code == 503
        [command] = commands(unready.json()["parts"]["namespace"])
        operator(own_temporal, command)
        while (await api.http.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_a_search_attribute_of_another_type_is_told(own_temporal: Client) -> None:
    operator(own_temporal, "temporal operator namespace create --namespace odd --retention 7d")
    text = IndexedValueType.INDEXED_VALUE_TYPE_TEXT
    keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    odd = await client_of(own_temporal, "odd")
    await odd.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="odd",
            search_attributes={"RunStatus": text, "AgentName": keyword, "Tenant": keyword},
        )
    )
    with pytest.raises(NamespaceUnfit, match="RunStatus of namespace 'odd' has type Text") as told:
        await check_namespace(odd, None)
    remove, create = commands(str(told.value))
    operator(own_temporal, f"{remove} --yes")
    operator(own_temporal, create)
    assert await check_namespace(odd, None) == []


async def test_tls_of_temporals_own_settings_is_used_and_a_wrong_ca_is_told(
    own_temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    cert, key = ours.issue("client")
    plain = own_temporal.service_client.config.target_host
    async with tls_front(plain, ours, clients=True) as address:

        async def told(**env: str) -> str:
            with monkeypatch.context() as patch:
                patch.setenv("TEMPORAL_ADDRESS", address)
                for name, value in env.items():
                    patch.setenv(f"TEMPORAL_{name}", value)
                try:
                    client = await connect(NO_KEYS)
                except TemporalUnreachable as error:
                    return str(error)
                await check_namespace(client, None)
                return ""

        files = {"TLS_CLIENT_CERT_PATH": str(cert), "TLS_CLIENT_KEY_PATH": str(key)}
        trusting = {"TLS_SERVER_CA_CERT_PATH": str(ours.ca)}
        assert not await told(**files, **trusting)
        assert not await told(**files, **trusting, API_KEY=SECRET)
        assert "CA that is not trusted" in await told(
            **files, TLS_SERVER_CA_CERT_PATH=str(theirs.ca), API_KEY=SECRET
        )
        assert "for another name" in await told(**files, **trusting, TLS_SERVER_NAME="other.test")
        assert "client's certificate" in await told(**trusting, API_KEY=SECRET)
        assert "may want TLS" in await told()
        absent = await told(**files, TLS_SERVER_CA_CERT_PATH=str(tmp_path / "absent.pem"))
        assert absent.endswith("absent.pem'")
        garbled = await told(**trusting, TLS_CLIENT_CERT_DATA="x", TLS_CLIENT_KEY_DATA=SECRET)
        assert garbled.endswith("the client's private key can't be read")


async def test_a_profile_names_the_temporal_and_its_key_is_never_sent_in_the_clear(
    own_temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = own_temporal.service_client.config.target_host
    profile = tmp_path / "temporal.toml"
    profile.write_text(
        f'[profile.cloud]\naddress = "{plain}"\nnamespace = "ours"\napi_key = "{SECRET}"\n'
    )
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    monkeypatch.setenv("TEMPORAL_PROFILE", "cloud")
    assert configured_address() == plain
    with pytest.raises(TemporalUnreachable, match="does not speak TLS") as told:
        await connect(NO_KEYS)
    assert SECRET not in str(told.value)


async def test_a_configuration_that_can_not_be_read_is_told_without_its_secrets(
    tmp_path: Path,
) -> None:
    profile = tmp_path / "temporal.toml"
    profile.write_text(f'[profile.default]\naddress = "x:1"\napi_key = "{SECRET}\n')
    files = {"RELAYLINE_DATA_DIR": str(tmp_path), "RELAYLINE_API_PORT": "0"}
    for command in ("worker", "api"):
        said = await relayline(command, env=files | {"TEMPORAL_CONFIG_FILE": str(profile)})
        assert said.code == 1
        assert said.err.splitlines()[-1] == (
            f"relayline {command}: Temporal's configuration file is not valid, line 3, column 26"
        )
        assert SECRET not in said.err
    said = await relayline("worker", env=files | {"TEMPORAL_PROFILE": "prod"})
    assert said.err == "relayline worker: TEMPORAL_PROFILE: Profile 'prod' not found\n"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"TLS_CLIENT_CERT_DATA": SECRET}, "a client's certificate and its key go together: set"),
        ({"TLS_CLIENT_KEY_DATA": SECRET}, "both of TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS"),
        (
            {"CONFIG_FILE": "/nope.toml"},
            "CONFIG_FILE names a file that does not exist: '/nope.toml'",
        ),
        ({"TLS": "banana"}, "TEMPORAL_TLS must be true or false (or 1 or 0)"),
        (
            {"ADDRESS": f"http://u:{SECRET}@t:7233"},
            "TEMPORAL_ADDRESS (or a profile's address) must",
        ),
        ({"ADDRESS": "127.0.0.1:port"}, "TEMPORAL_ADDRESS (or a profile's address) must be HOST"),
    ],
)
async def test_a_setting_that_can_not_be_meant_is_named_in_one_line(
    tmp_path: Path, env: dict[str, str], told: str
) -> None:
    given = {"TEMPORAL_ADDRESS": "127.0.0.1:1", "RELAYLINE_DATA_DIR": str(tmp_path)}
    given |= {f"TEMPORAL_{name}": value for name, value in env.items()}
    for command in (["worker"], ["deploy", "status"]):
        said = await relayline(*command, env=given)
        assert (said.code, len(said.err.splitlines())) == (1, 1)
        assert told in said.err
        assert SECRET not in said.err


async def test_a_variable_that_is_set_to_nothing_is_not_set(
    own_temporal: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "temporal.toml"
    address = own_temporal.service_client.config.target_host
    profile.write_text(f'[profile.default]\naddress = "{address}"\nnamespace = "default"\n')
    for name in ("ADDRESS", "NAMESPACE", "API_KEY", "TLS", "PROFILE"):
        monkeypatch.setenv(f"TEMPORAL_{name}", "")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    assert await check_namespace(await connect(NO_KEYS), None) == []
    for nothing in ("", os.devnull):
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", nothing)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert configured_address() is None


@pytest.mark.parametrize("no", ["false", "False", "0"])
async def test_tls_can_be_refused(
    own_temporal: Client, monkeypatch: pytest.MonkeyPatch, no: str
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", own_temporal.service_client.config.target_host)
    monkeypatch.setenv("TEMPORAL_TLS", no)
    assert await check_namespace(await connect(NO_KEYS), None) == []
