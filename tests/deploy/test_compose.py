"""docker-compose.yml fits itself, the files it names, the code and Temporal; no Docker needed."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from temporalio.envconfig import ClientConfigProfile

from relayline.activities.model.providers.factory import ProviderConfig, provider_for
from relayline.api.serving.server import GRACE_S
from relayline.catalog.models import PROVIDERS
from relayline.dev.temporal_server import server_flags
from relayline.runtime.settings import Settings, load_settings
from tests.deploy.files import (
    OURS,
    ROOT,
    compose,
    defaults,
    dockerfile,
    environment,
    instruction,
    seconds,
)

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
MOUNTS = [
    (name, *mount.split(":")[:2])
    for name, service in SERVICES.items()
    for mount in service.get("volumes", [])
]
LONG_LIVED = [name for name in SERVICES if SERVICES[name]["restart"] == "unless-stopped"]
TEMPORAL_PORTS = {"7233", "9090"}


@pytest.fixture(params=OURS)
def settings(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What that service of ours is set to."""
    for name, value in environment(SERVICES[request.param]).items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_every_image_has_a_version_of_its_own() -> None:
    assert set(SERVICES) >= {"postgres", "temporal", "temporal-ui", "proxy", *OURS}
    for service in SERVICES.values():
        repository, _, tag = service["image"].partition(":")
        assert repository, service
        assert re.fullmatch(r"\d+\.\d+(\.\d+)?(-alpine)?", tag), service["image"]


def test_server_and_tools_of_temporal_are_of_one_version() -> None:
    for chosen in ({}, {"TEMPORAL_VERSION": "1.99.9"}):
        images = [service["image"] for service in compose(chosen)["services"].values()]
        temporal = [image.split("/")[1] for image in images if image.startswith("temporalio/")]
        tags = {tag for name, tag in (image.split(":") for image in temporal) if name != "ui"}
        assert tags == {chosen.get("TEMPORAL_VERSION", "1.32.0")}


def test_our_services_are_one_image_that_one_of_them_builds() -> None:
    """Builds of several services run side by side, and the second to export a name may fail.

    With no pull policy of its own, a service whose image can be had nowhere waits for the service
    that builds it (Compose 2.13 or newer), and one that is in a registry is pulled.
    """
    assert len({SERVICES[name]["image"] for name in OURS}) == 1
    assert {name: one["build"] for name, one in SERVICES.items() if "build" in one} == {"api": "."}
    assert not [name for name in OURS if "pull_policy" in SERVICES[name]]


def test_what_a_service_waits_for_exists_and_can_come_true() -> None:
    for name, service in SERVICES.items():
        for target, wanted in service.get("depends_on", {}).items():
            awaited = SERVICES[target]
            if wanted["condition"] == "service_healthy":
                assert "test" in awaited["healthcheck"], f"{name} waits for {target}"
                assert target in LONG_LIVED
            else:
                assert wanted["condition"] == "service_completed_successfully"
                assert awaited["restart"] == "on-failure:5", f"{target} never completes"


def test_every_job_is_waited_for_by_something_that_stays_up() -> None:
    """Or `up --wait` takes its end for a failure."""
    waited_for = {t for name in LONG_LIVED for t in SERVICES[name].get("depends_on", {})}
    assert set(SERVICES) - set(LONG_LIVED) <= waited_for


def test_nothing_starts_before_what_it_needs() -> None:
    def before(name: str) -> set[str]:
        direct = set(SERVICES[name].get("depends_on", {}))
        return direct.union(*map(before, direct))

    for name in ("api", "worker"):
        assert before(name) >= {
            "postgres",
            "migrate",
            "temporal",
            "temporal-namespace",
            "first-key",
        }
    assert before("temporal") == {"postgres", "temporal-schema"}
    assert "api" in before("proxy")


def test_what_stays_up_tells_how_it_is() -> None:
    for name in LONG_LIVED:
        assert name == "temporal-ui" or SERVICES[name]["healthcheck"]["test"][0] != "NONE"
    for name in ("migrate", "first-key"):
        assert SERVICES[name]["healthcheck"] == {"disable": True}, "the image's own is the API's"


def test_published_ports_are_distinct_and_on_loopback_only() -> None:
    usual = [service for service in SERVICES.values() if "profiles" not in service]
    published = [port.rsplit(":", 1)[0] for s in usual for port in s.get("ports", [])]
    assert len(published) == len(set(published)) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_addresses_name_services_and_the_ports_they_listen_on(settings: Settings) -> None:
    listening = {"postgres": {"5432"}, "temporal": TEMPORAL_PORTS, "api": {str(settings.api_port)}}
    text = (ROOT / "docker-compose.yml").read_text()
    addresses = re.findall(r"[@ ](postgres|temporal|api):(\d+)\b", text)
    assert addresses
    for host, port in addresses:
        assert port in listening[host]
    assert SERVICES["api"]["environment"]["RELAYLINE_API_PORT"] == instruction("EXPOSE")


def test_every_setting_exists_and_is_taken(settings: Settings) -> None:
    assert settings.journal.endswith("@postgres:5432/relayline")
    known = {f"RELAYLINE_{field.upper()}" for field in Settings.model_fields}
    for name in OURS:
        ours = {key for key in environment(SERVICES[name]) if key.startswith("RELAYLINE_")}
        assert ours <= known, f"{name} sets what nobody reads"


def test_variables_of_temporal_are_those_that_its_clients_read() -> None:
    nothing = ClientConfigProfile.load(disable_file=True, override_env_vars={})
    for name in OURS:
        for key, value in environment(SERVICES[name]).items():
            if key.startswith("TEMPORAL_"):
                read = ClientConfigProfile.load(disable_file=True, override_env_vars={key: value})
                assert read != nothing, f"{key} is not read"


def test_workers_drain_and_streams_end_before_docker_kills() -> None:
    api, worker = SERVICES["api"], SERVICES["worker"]
    drain_s = float(environment(worker)["RELAYLINE_DRAIN_S"])
    assert drain_s == Settings().drain_s
    assert seconds(worker["stop_grace_period"]) >= drain_s + 10
    assert seconds(api["stop_grace_period"]) >= 2 * GRACE_S


def test_ended_runs_are_kept_equally_long_in_both_places() -> None:
    days = environment(SERVICES["worker"])["RELAYLINE_RETENTION_DAYS"]
    assert environment(SERVICES["temporal-namespace"])["RETENTION"] == f"{days}d"


def test_two_of_each_kind_run() -> None:
    assert SERVICES["api"]["deploy"]["replicas"] == "2"
    assert SERVICES["worker"]["deploy"]["replicas"] == "2"
    for name in OURS:
        assert "container_name" not in SERVICES[name]


@pytest.mark.parametrize(("service", "source", "target"), MOUNTS)
def test_what_is_mounted_exists(service: str, source: str, target: str) -> None:
    if source.startswith("."):
        assert (ROOT / source).exists()
    else:
        assert source in compose()["volumes"]
    assert target.startswith("/")


@pytest.mark.parametrize(
    "images_own", ["/var/lib/postgresql/data", "/var/lib/postgresql"], ids=["to 17", "from 18"]
)
def test_the_data_of_every_version_of_postgres_is_in_the_named_volume(images_own: str) -> None:
    """Images declare a volume of their own, nameless where nothing else is mounted there."""
    postgres = SERVICES["postgres"]
    mounted = {target: source for name, source, target in MOUNTS if name == "postgres"}
    data = PurePosixPath(environment(postgres)["PGDATA"])
    folders = map(str, (data, *data.parents))
    nearest = next(folder for folder in folders if folder in {*mounted, images_own})
    assert mounted[nearest] in compose()["volumes"]


def test_scripts_are_run_from_where_they_are_mounted() -> None:
    for name in ("temporal-schema", "temporal-namespace"):
        service = SERVICES[name]
        [script] = service["command"]
        assert service["volumes"] == ["./deploy:/deploy:ro"]
        assert (ROOT / script.lstrip("/")).read_text().startswith("#!/bin/sh\n")
    mounted = {target for _, _, target in MOUNTS}
    assert environment(SERVICES["worker"])["RELAYLINE_FILES_ROOT"] in mounted


def test_configurations_are_read_from_a_folder_where_another_file_of_the_name_is_seen() -> None:
    """Editors and Git put a new file in the place of the old, which a mount of a file keeps."""
    paths = {
        "temporal": environment(SERVICES["temporal"])["DYNAMIC_CONFIG_FILE_PATH"],
        "proxy": SERVICES["proxy"]["command"][2],
        "tls": SERVICES["tls"]["command"][3],
    }
    for name, path in paths.items():
        assert SERVICES[name]["volumes"][0] == "./deploy:/deploy:ro"
        assert (ROOT / path.lstrip("/")).is_file()
    files = [name for name, source, _ in MOUNTS if (ROOT / source).is_file()]
    assert files == ["postgres"], "read once, when the volume is made"


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_a_provider_needs_is_passed_on_to_the_workers(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_BASE_URL"))]:
        monkeypatch.delenv(name)
    for name, value in SERVICES["worker"]["environment"].items():
        monkeypatch.setenv(name, "http://provider/v1" if value is None else str(value))
    settings = load_settings()
    assert settings.compatible_api_key
    config = ProviderConfig(compatible_base_url=settings.compatible_base_url)
    assert provider_for(config)(f"{provider}:a-model")


def test_temporal_is_tuned_as_the_embedded_server_is() -> None:
    flags = [flag.split("=")[0] for flag in server_flags() if flag.count("=") == 1 and "." in flag]
    text = (ROOT / "deploy" / "dynamicconfig.yaml").read_text()
    tuned: dict[str, list[dict[str, object]]] = yaml.safe_load(text)
    assert sorted(tuned) == sorted(flags)
    for values in tuned.values():
        assert [set(value) for value in values] == [{"value"}]


def test_the_example_of_an_env_file_names_every_variable_with_its_default() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert given == defaults()
    passed_on = {line[1:-1] for line in lines if re.fullmatch(r"#\w+=", line)}
    worker = SERVICES["worker"]["environment"]
    assert passed_on == {name for name, value in worker.items() if value is None}


def test_the_api_asks_for_keys_and_secrets_are_in_files_that_only_who_needs_them_sees() -> None:
    mounted = {name: {t: v for n, v, t in MOUNTS if n == name} for name in SERVICES}
    for name in OURS:
        given = environment(SERVICES[name])
        assert given["RELAYLINE_SECRET"] == ""
        volume = str(PurePosixPath(given["RELAYLINE_SECRET_FILE"]).parent)
        if name != "migrate":
            assert mounted[name][volume] == "secrets"
    assert environment(SERVICES["api"])["RELAYLINE_AUTH"] == "keys"
    *command, file = SERVICES["first-key"]["command"]
    assert command == ["key", "first", "--to"]
    assert mounted["first-key"][str(PurePosixPath(file).parent)] == "first-key"
    assert {name for name, source, _ in MOUNTS if source == "first-key"} == {"first-key"}
    writing = {
        name
        for name, service in SERVICES.items()
        for mount in service.get("volumes", [])
        if mount.startswith("secrets:") and not mount.endswith(":ro")
    }
    assert writing == {"first-key"}
    made = next(rest for word, rest in dockerfile() if "--mode=700" in rest)
    assert {"/secrets", "/first-key"} <= {*made.split()}


def test_passwords_are_variables_everywhere() -> None:
    chosen = {name: "chosen" for name in defaults() if name.endswith("PASSWORD")}
    services = compose(chosen)["services"]
    assert "for-a-laptop-only" not in str(services)
    given = [(name, value) for one in services.values() for name, value in environment(one).items()]
    secrets = [value for name, value in given if name.endswith(("PASSWORD", "PWD"))]
    assert len(secrets) == 6
    assert set(secrets) == {"chosen"}
