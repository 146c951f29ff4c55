"""The proxy for other hosts: TLS, streams as they are; its configuration is read here, not run."""

from __future__ import annotations

import re

from relayline.api.serving.server import KEEP_ALIVE_S
from relayline.contracts.submissions.batches import MAX_BATCH_BYTES
from tests.deploy.files import ROOT, compose, environment, seconds

TEXT = (ROOT / "deploy" / "Caddyfile").read_text()
LINES = [line.strip() for line in TEXT.splitlines() if line.strip()]
SERVICES = compose({"RELAYLINE_DOMAIN": "agents.example.com"})["services"]
TLS = SERVICES["tls"]


def value(directive: str) -> str:
    """What stands behind a directive that is there once."""
    [line] = [line for line in LINES if line.split()[0] == directive]
    return line.removeprefix(directive).strip()


def test_it_is_there_for_who_asks_for_it_and_nothing_else_is_reached_from_elsewhere() -> None:
    assert TLS["profiles"] == ["tls"]
    assert {name for name, one in SERVICES.items() if "profiles" in one} == {"tls"}
    assert TLS["ports"] == ["80:80", "443:443", "443:443/udp"]
    assert "admin off" in LINES


def test_it_serves_the_domain_that_the_api_answers_to() -> None:
    assert environment(TLS) == {"DOMAIN": "agents.example.com"}
    assert "{$DOMAIN} {" in LINES
    assert environment(SERVICES["api"])["RELAYLINE_ALLOWED_HOSTS"] == "api,agents.example.com"
    assert value("header") == "Strict-Transport-Security max-age=31536000"


def test_it_speaks_to_every_api_process_and_holds_nothing_back() -> None:
    assert (value("name"), value("port")) == (
        "api",
        environment(SERVICES["api"])["RELAYLINE_API_PORT"],
    )
    assert value("resolvers") == "127.0.0.11", "Docker's own, which knows all replicas"
    assert value("flush_interval") == "-1"
    assert value("lb_policy") == "least_conn"
    assert seconds(value("keepalive")) < KEEP_ALIVE_S
    [size] = re.findall(r"max_size (\d+)MB", TEXT)
    assert int(size) * 1_000_000 > MAX_BATCH_BYTES


def test_it_logs_no_request_and_shows_no_metrics() -> None:
    assert not [line for line in LINES if line.split()[0] == "log"]
    assert "respond /metrics 404" in LINES


def test_its_health_check_asks_what_is_not_published() -> None:
    [address] = re.findall(r"^(http://127\.0\.0\.1:\d+) \{$", TEXT, re.MULTILINE)
    assert TLS["healthcheck"]["test"][-1] == f"{address}/"
    assert seconds(value("grace_period")) < seconds(TLS["stop_grace_period"])
