"""docs/operate/deploy.md names services, settings, metrics, commands and files that exist."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from relayline.activities.tool.served.figures import McpFigures
from relayline.api.serving.metrics import Metrics
from relayline.catalog.models import QUEUED, provider_queue
from relayline.cli import app
from relayline.contracts.housekeeping import HOUSEKEEPING_QUEUE
from relayline.contracts.runs import TASK_QUEUE
from relayline.outbound.exposition import exposed
from relayline.runtime.settings import BadSettings, Settings, load_settings
from relayline.spending import Spending
from tests.deploy.files import ROOT, compose, defaults

TEXT = (ROOT / "docs" / "operate" / "deploy.md").read_text()
SHELL = "\n".join(re.findall(r"^```(?:sh|text)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
SERVICES = compose()["services"]


def test_services_that_commands_name_are_there() -> None:
    lines = [line.partition("docker compose ")[2].split("#")[0] for line in SHELL.splitlines()]
    for line in filter(None, lines):
        verb, *words = [word for word in line.split() if not word.startswith("-")]
        named = words[:1] if verb in {"exec", "run"} else words
        assert verb in {"up", "ps", "build", "run", "exec", "stop"}
        assert set(named) <= set(compose()["services"]), line


def test_jobs_that_have_ended_are_listed_where_one_should_look() -> None:
    listed = re.findall(r"docker compose ps( --all)?", TEXT)
    assert listed
    assert all(listed)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bRELAYLINE_[A-Z_]+", TEXT))))
def test_a_setting_that_is_named_exists(name: str) -> None:
    assert name in {f"RELAYLINE_{field.upper()}" for field in Settings.model_fields} | {*defaults()}


def test_metrics_that_are_named_are_told() -> None:
    text = (Metrics().text() + Spending().text() + exposed(McpFigures())[1]).decode()
    told = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
    named = set(re.findall(r"`(relayline_\w+)`", TEXT))
    assert len(named) == 13
    assert named <= told


def test_task_queues_are_named_as_temporals_metrics_name_them() -> None:
    queues = [TASK_QUEUE, HOUSEKEEPING_QUEUE, *map(provider_queue, QUEUED)]
    labels = {re.sub(r"[^a-zA-Z0-9]", "_", queue) for queue in queues}
    [alarm] = [line for line in TEXT.splitlines() if "approximate_backlog_age_seconds`, " in line]
    [scale] = [line for line in TEXT.splitlines() if line.startswith("| scale by ")]
    for line, meant in {alarm: labels, scale: labels - {"relayline_housekeeping"}}.items():
        named = re.findall(r'"([\w.*]+)"', line.replace('task_type="Activity"', ""))
        assert {label for label in labels if any(re.fullmatch(it, label) for it in named)} == meant
        assert all(any(re.fullmatch(it, label) for label in labels) for it in named)


def test_commands_that_are_named_exist() -> None:
    named = set(re.findall(r"(?:`|^)relayline ([a-z]+)", f"{TEXT}\n{SHELL}", re.MULTILINE))
    assert named >= {"api", "worker", "migrate"}
    assert named <= set(getattr(get_command(app), "commands", {}))


def test_what_is_installed_by_hand_can_serve() -> None:
    installed = [line for line in SHELL.splitlines() if line.startswith("pip ")]
    assert [line.split()[1] for line in installed] == ["wheel", "install"]
    for line in installed:
        assert "[server]'" in line, "without the extra it is the library alone"


def test_files_and_pages_that_are_named_exist() -> None:
    for path in re.findall(r"`((?:deploy|tests)/[\w./-]*)`|\]\(([\w./-]+\.md)\)", TEXT):
        [name] = filter(None, path)
        assert (ROOT / name).exists() or (ROOT / "docs" / "operate" / name).exists(), name


def test_what_kubernetes_tells_of_a_service_stops_no_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    [told] = re.findall(r"`RELAYLINE_API_PORT=(tcp://\S+)`", TEXT)
    monkeypatch.setenv("RELAYLINE_API_PORT", told)
    assert load_settings().api_port == Settings.model_fields["api_port"].default
    monkeypatch.setenv("RELAYLINE_API_PORT", told.removeprefix("tcp://"))
    with pytest.raises(BadSettings, match="RELAYLINE_API_PORT"):
        load_settings()


def test_readme_leads_there() -> None:
    assert "docs/operate/deploy.md" in (ROOT / "README.md").read_text()
