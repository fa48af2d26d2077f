"""The command line, as an operator uses it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from click.testing import CliRunner

from tests.waitroom.running import Waitroom
from waitroom.cli import main

CONFIG = 'version = 1\n[[rooms]]\nname = "site"\norigins = ["http://origin:80"]\n'


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_check_says_in_words_what_a_file_means(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG)
    code, output = run("check", "--config", str(path))
    assert code == 0
    assert "Room 'site' guards /* on *, before http://origin:80." in output


def test_check_names_every_fault_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text(CONFIG + "cap = 0\nwat = 1\n")
    code, output = run("check", "--config", str(path))
    assert code == 2
    assert "rooms[1].cap" in output
    assert "rooms[1].wat: there is no such setting" in output


def test_keys_makes_a_pair_that_serve_accepts_and_never_replaces_one(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    code, output = run("keys", "--out", str(folder))
    assert code == 0
    assert f'admission = ["{folder}/admission.pem"]' in output
    assert (folder / "admission.pem").stat().st_mode & 0o077 == 0
    code, output = run("keys", "--out", str(folder))
    assert code == 2
    assert "choose another --out" in output


def test_serve_with_a_bad_key_names_the_file(tmp_path: Path) -> None:
    path, key = tmp_path / "w.toml", tmp_path / "bad.pem"
    key.write_text("no key")
    path.write_text(f'version = 1\n[keys]\nadmission = ["{key}"]\nticket = ["{tmp_path}/none"]\n' + CONFIG[12:])
    code, output = run("serve", "--config", str(path))
    assert code == 2
    assert f"keys.admission: {key}" in output
    assert f"keys.ticket: {tmp_path}/none" in output


def test_serve_on_a_taken_port_names_the_address(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    address = "192.0.2.1:80"  # reserved for documentation: no machine has it
    path.write_text(f'version = 1\n[server]\nlisten = ["{address}"]\nstate = "{tmp_path}/state"\n' + CONFIG[12:])
    code, output = run("serve", "--config", str(path))
    assert code == 2
    assert f"can't listen on {address}" in output


def test_status_without_a_waitroom_says_where_it_looked(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_text('version = 1\n[admin]\nlisten = "127.0.0.1:1"\n' + CONFIG[12:])
    code, output = run("status", "--config", str(path))
    assert code == 2
    assert "no waitroom answers at http://127.0.0.1:1/status" in output


async def test_status_shows_the_rooms_of_a_running_waitroom(waitroom: Waitroom) -> None:
    code, output = await asyncio.to_thread(run, "status", "--config", str(waitroom.config))
    assert code == 0
    assert "site" in output


async def test_serve_runs_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The real process, with the embedded Redis: SIGTERM ends it, and leaves no child behind."""
    waitroom = Waitroom(tmp_path, "", 1)
    waitroom.set()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "waitroom", "serve", "--config", str(waitroom.config), stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr
    async with asyncio.timeout(30):
        while b"waitroom listens" not in (line := await process.stderr.readline()):
            assert line
        redis_pid = int((tmp_path / "state" / "redis.pid").read_text())
        process.terminate()
        assert await process.wait() == 0
    try:
        os.kill(redis_pid, 0)
    except ProcessLookupError:
        return
    os.kill(redis_pid, signal.SIGKILL)
    raise AssertionError("the embedded Redis was left behind")
