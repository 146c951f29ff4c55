"""The proxy passes streams on as they are; its configuration is read here, not run."""

from __future__ import annotations

from pathlib import PurePosixPath

from relayline.api.serving.server import KEEP_ALIVE_S
from relayline.contracts.submissions.batches import MAX_BATCH_BYTES
from relayline.runtime.settings import Settings
from tests.deploy.files import ROOT, compose, environment, nginx, seconds

CONFIG = nginx()
LOCATION = "http/server/location //"
UPSTREAM = "http/upstream api/"
PROXY = compose()["services"]["proxy"]


def test_it_listens_where_the_port_is_published_and_speaks_to_every_api_process() -> None:
    [published] = PROXY["ports"]
    assert CONFIG["http/server/listen"] == [published.rsplit(":", 1)[1]]
    assert PROXY["command"][:3] == ["nginx", "-c", "/deploy/nginx.conf"]
    assert CONFIG[f"{LOCATION}proxy_pass"] == ["http://api"]
    port = compose()["services"]["api"]["environment"]["RELAYLINE_API_PORT"]
    assert CONFIG[f"{UPSTREAM}server"] == [f"api:{port}", "resolve"]
    assert CONFIG[f"{UPSTREAM}zone"], "resolve needs it"
    assert CONFIG["http/resolver"][0] == "127.0.0.11", "Docker's own, which knows all replicas"


def test_nothing_is_held_back_and_no_stream_sticks_to_a_process() -> None:
    assert CONFIG[f"{LOCATION}proxy_buffering"] == ["off"]
    assert CONFIG["http/server/gzip"] == ["off"]
    assert CONFIG[f"{UPSTREAM}least_conn"] == []
    assert f"{UPSTREAM}ip_hash" not in CONFIG
    assert seconds(CONFIG[f"{LOCATION}proxy_read_timeout"][0]) > 4 * Settings().heartbeat_s
    assert seconds(CONFIG[f"{LOCATION}proxy_read_timeout"][0]) > 60, "a long poll"
    assert seconds(CONFIG[f"{LOCATION}send_timeout"][0]) == Settings().send_timeout_s


def test_connections_are_kept_for_less_long_than_the_api_keeps_them() -> None:
    assert CONFIG[f"{LOCATION}proxy_http_version"] == ["1.1"]
    assert CONFIG[f"{LOCATION}proxy_set_header Connection"] == ["$connection"]
    assert CONFIG["http/map $upgrade $connection/default"] == ['""']
    assert seconds(CONFIG[f"{UPSTREAM}keepalive_timeout"][0]) < KEEP_ALIVE_S


def test_only_sockets_are_upgraded() -> None:
    asked = "http/map $http_upgrade $upgrade"
    assert CONFIG[f"{LOCATION}proxy_set_header Upgrade"] == ["$upgrade"]
    assert CONFIG[f"{asked}/~*^websocket$"] == ["websocket"]
    assert CONFIG[f"{asked}/default"] == ['""']
    assert CONFIG["http/map $upgrade $connection/websocket"] == ["upgrade"]


def test_who_hangs_up_is_noticed_and_who_asks_is_told_to_the_api() -> None:
    assert CONFIG[f"{LOCATION}proxy_ignore_client_abort"] == ["off"]
    assert CONFIG[f"{LOCATION}proxy_set_header X-Forwarded-For"] == ["$remote_addr"]
    assert CONFIG[f"{LOCATION}proxy_set_header Host"] == ["$http_host"]


def test_a_proxy_in_front_of_it_is_believed_where_that_is_said() -> None:
    """Or all who come through that one share one address, and one limit of streams."""
    given = environment(PROXY)
    assert {"./deploy:/deploy:ro"} == set(PROXY["volumes"])
    assert given["NGINX_ENVSUBST_TEMPLATE_DIR"] == "/deploy"
    [template] = (ROOT / "deploy").glob("*.template")
    [included] = CONFIG["http/include"]
    assert PurePosixPath("/etc/nginx/conf.d", template.stem).match(included)
    assert nginx(template.name) == {
        "set_real_ip_from": ["${TRUSTED_PROXY}"],
        "real_ip_header": ["X-Forwarded-For"],  # not recursive: the last is what that one saw
    }
    assert given["TRUSTED_PROXY"] == "127.0.0.1", "by default nobody who is not in the container"
    chosen = compose({"TRUSTED_PROXY": "0.0.0.0/0"})["services"]["proxy"]
    assert environment(chosen)["TRUSTED_PROXY"] == "0.0.0.0/0"


def test_only_what_can_be_done_twice_is_tried_twice() -> None:
    assert CONFIG[f"{LOCATION}proxy_next_upstream"] == ["error", "timeout"]  # no non_idempotent


def test_bodies_that_the_api_takes_pass() -> None:
    [limit] = CONFIG["http/server/client_max_body_size"]
    assert int(limit.removesuffix("m")) * 1024 * 1024 > MAX_BATCH_BYTES > Settings().max_body_bytes


def test_streams_have_file_descriptors() -> None:
    connections = int(CONFIG["events/worker_connections"][0])
    files = int(CONFIG["worker_rlimit_nofile"][0])
    assert files == PROXY["ulimits"]["nofile"]
    assert connections < files


def test_it_ends_within_its_grace_period() -> None:
    assert seconds(CONFIG["worker_shutdown_timeout"][0]) < seconds(PROXY["stop_grace_period"])
