"""The commands, as processes of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.booking.bench import Room
from tests.booking.mariadb import PrivateMariaDB
from tests.servers import free_port

COMMAND = [sys.executable, "-c", "from booking.cli import main; main()"]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    ours = {"BOOKING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'booking.db'}"}
    return {**os.environ, **ours, **changes}


def run(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    env = environment(folder, **changes)
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


class Served:
    """`booking serve`, running."""

    def __init__(self, folder: Path, room: Room) -> None:
        self.port = free_port()
        changes = {"BOOKING_LISTEN": f"127.0.0.1:{self.port}", "BOOKING_ADMISSION_KEYS": str(room.key_file)}
        env = environment(folder, **changes)
        self.process = subprocess.Popen([*COMMAND, "serve"], env=env, stderr=subprocess.PIPE, text=True)

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + 30
        while self.status("/healthz")[0] != 200:
            assert time.monotonic() < deadline, "booking serve did not start"
            assert self.process.poll() is None, "booking serve ended"
            time.sleep(0.05)

    def status(self, path: str, **headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except urllib.error.URLError:
            return 0, ""


@pytest.fixture
def served(tmp_path: Path, room: Room) -> Iterator[Served]:
    served = Served(tmp_path, room)
    try:
        served.wait_until_healthy()
        yield served
    finally:
        served.process.kill()
        served.process.communicate()


def test_serve_makes_its_sqlite_database_and_asks_for_the_admission(served: Served) -> None:
    status, body = served.status("/")
    assert (status, json.loads(body)["code"]) == (401, "admission_missing")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_when_it_is_asked_to(served: Served, how: signal.Signals) -> None:
    served.process.send_signal(how)
    _, log = served.process.communicate(timeout=20)
    assert served.process.returncode == 0
    assert "Traceback" not in log


def test_a_port_in_use_is_named(tmp_path: Path, room: Room) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        ended = run(tmp_path, "serve", BOOKING_LISTEN=address, BOOKING_ADMISSION_KEYS=str(room.key_file))
    assert ended.returncode == 1
    assert f"cannot listen on {address}" in ended.stderr
    assert "BOOKING_LISTEN" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_bad_settings_are_all_named_and_nothing_starts(tmp_path: Path) -> None:
    ended = run(tmp_path, "serve", BOOKING_LISTEN="8081", BOOKING_HOLD_S="soon", BOOKING_ADMISION_KEYS="typo")
    assert ended.returncode == 2
    assert {line.partition(":")[0] for line in ended.stderr.splitlines()} == {
        "BOOKING_LISTEN",
        "BOOKING_HOLD_S",
        "BOOKING_ADMISION_KEYS",
    }


def test_seeding_twice_says_what_it_added(tmp_path: Path) -> None:
    first, second = (run(tmp_path, "seed", "--flights", "40") for _ in range(2))
    assert first.stdout.startswith("Added 40 flights with ")
    assert second.stdout.startswith("Added 0 flights with 0 seats")


def test_sweep_needs_a_schema_and_then_says_what_it_did(tmp_path: Path) -> None:
    behind = run(tmp_path, "sweep")
    assert behind.returncode == 1
    assert "run `booking migrate`" in behind.stderr

    assert run(tmp_path, "migrate").stdout == "The schema is up to date.\n"
    assert "expired=0" in run(tmp_path, "sweep").stdout


def test_serve_refuses_a_shared_database_that_is_behind(mariadb: PrivateMariaDB, tmp_path: Path) -> None:
    """It migrates a SQLite file by itself, but no database that other processes may be using."""
    mariadb.execute("CREATE DATABASE behind")
    ended = run(tmp_path, "serve", BOOKING_DATABASE_URL=mariadb.url("behind"))
    mariadb.execute("DROP DATABASE behind")
    assert ended.returncode == 1
    assert "run `booking migrate`" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_out_of_reach_ends_the_start_with_its_name(tmp_path: Path) -> None:
    url = f"mysql+aiomysql://booking:geheim@127.0.0.1:{free_port()}/booking"
    ended = run(tmp_path, "serve", BOOKING_DATABASE_URL=url)
    assert ended.returncode == 1
    assert "BOOKING_DATABASE_URL" in ended.stderr
    assert "geheim" not in ended.stderr
    assert "Traceback" not in ended.stderr
