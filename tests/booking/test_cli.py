"""The commands, as processes of their own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from booking import payments, schema
from booking.bookings import cancel
from booking.cli import main
from booking.db import Database
from booking.invariants import INVARIANTS
from booking.sandbox_gateway import SandboxGateway
from booking.tables import bookings, seats
from tests.booking.bank import PrivateSandbox
from tests.booking.bench import HOUR_S, PASSWORD, Room, add_flight, departure, rows
from tests.booking.mariadb import PrivateMariaDB
from tests.booking.sale import Sale
from tests.servers import free_port, wait_until

# Of a command from its start to its end, and of a site from its signal to its end.
RUN_S = 120
COMMAND = [sys.executable, "-c", "from booking.cli import main; main()"]


def environment(folder: Path, **changes: str) -> dict[str, str]:
    ours = {
        "BOOKING_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'booking.db'}",
        "BOOKING_STATE_FOLDER": str(folder / "state"),
    }
    return {**os.environ, **ours, **changes}


def run(folder: Path, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments]
    env = environment(folder, **changes)
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=RUN_S)


class Served:
    """`booking serve`, running. `more` are further settings."""

    def __init__(self, folder: Path, room: Room, redis_url: str, **more: str) -> None:
        self.port, self.admin_port = free_port(), free_port()
        changes = {
            "BOOKING_LISTEN": f"127.0.0.1:{self.port}",
            "BOOKING_ADMIN_LISTEN": f"127.0.0.1:{self.admin_port}",
            "BOOKING_ADMISSION_KEYS": str(room.key_file),
            "BOOKING_REDIS_URL": redis_url,
        }
        env = environment(folder, **changes, **more)
        # Not a pipe: nobody reads it while the site serves.
        self.log = folder / "booking.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*COMMAND, "serve"], env=env, stderr=log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def wait_until_healthy(self) -> None:
        wait_until(self._is_healthy, RUN_S)

    def _is_healthy(self) -> bool:
        assert self.process.poll() is None, f"booking serve ended: {self.log.read_text()}"
        return self.status("/healthz")[0] == 200

    def status(self, path: str, port: int | None = None) -> tuple[int, str]:
        """What a path answers; 0 where nobody does."""
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}")
        try:
            with urllib.request.urlopen(request, timeout=RUN_S) as response:
                return int(response.status), response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        # One that stops resets what it has accepted, or not even that.
        except OSError:
            return 0, ""


@pytest.fixture
def served(tmp_path: Path, room: Room, redis_url: str) -> Iterator[Served]:
    served = Served(tmp_path, room, redis_url)
    try:
        served.wait_until_healthy()
        yield served
    finally:
        served.kill()


def test_serve_makes_its_sqlite_database_and_asks_for_the_admission(served: Served) -> None:
    status, body = served.status("/")
    assert (status, json.loads(body)["code"]) == (401, "admission_missing")


def test_serve_answers_operators_on_a_listener_of_their_own(served: Served) -> None:
    """Metrics are not for the public: there, the same path asks for an admission as any other."""
    status, metrics = served.status("/metrics", served.admin_port)
    assert (status, "booking_database_up 1.0" in metrics) == (200, True)
    assert served.status("/readyz", served.admin_port)[0] == 200
    assert served.status("/metrics")[0] == 401


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_when_it_is_asked_to(served: Served, how: signal.Signals) -> None:
    served.process.send_signal(how)
    assert served.process.wait(RUN_S) == 0
    assert "Traceback" not in served.log.read_text()


def test_who_is_being_served_at_the_stop_is_served_to_the_end(served: Served, room: Room, tmp_path: Path) -> None:
    """Someone signs up and waits for the database. Meanwhile nobody new is let in, and a balancer is told so."""
    rival = sqlite3.connect(tmp_path / "booking.db")
    now_s = int(time.time())
    document = json.dumps({"email": "ada@example.org", "name": "Ada Lovelace", "password": PASSWORD}).encode()
    head = (
        "POST /api/accounts HTTP/1.1\r\nHost: air.example\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n"
        f"X-Waitroom-Admission: {room.admission(iat=now_s, nbf=now_s, exp=now_s + HOUR_S)}\r\n"
        f"Content-Length: {len(document)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=RUN_S) as client, closing(rival):
        rival.execute("BEGIN IMMEDIATE")
        client.sendall(head.encode())
        assert client.recv(1_024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(document)
        served.process.send_signal(signal.SIGTERM)
        wait_until(lambda: served.status("/readyz", served.admin_port)[0] == 503)
        wait_until(lambda: served.status("/healthz")[0] == 0)
        rival.rollback()
        assert client.recv(1_024).startswith(b"HTTP/1.1 201 ")
    assert served.process.wait(RUN_S) == 0


@pytest.mark.parametrize("setting", ["BOOKING_LISTEN", "BOOKING_ADMIN_LISTEN"])
def test_a_port_in_use_is_named(tmp_path: Path, room: Room, redis_url: str, setting: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        free = {name: f"127.0.0.1:{free_port()}" for name in ("BOOKING_LISTEN", "BOOKING_ADMIN_LISTEN")}
        changes = {"BOOKING_ADMISSION_KEYS": str(room.key_file), "BOOKING_REDIS_URL": redis_url}
        ended = run(tmp_path, "serve", **(changes | free | {setting: address}))
    assert ended.returncode == 1
    assert f"cannot listen on {address}" in ended.stderr
    assert f"another {setting}." in ended.stderr
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


def test_sweep_says_what_it_did(tmp_path: Path) -> None:
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


@pytest.fixture
async def sale(tmp_path: Path) -> AsyncIterator[Sale]:
    """A flight in the database of the commands, on sale now."""
    async with Database(environment(tmp_path)["BOOKING_DATABASE_URL"]) as db:
        await schema.migrate(db)
        now_s = int(time.time())
        flight_id = await add_flight(db, departure(now_s + 48 * HOUR_S))
        yield Sale(db, flight_id, now_s=now_s)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[PrivateSandbox]:
    bank = PrivateSandbox(tmp_path / "bank")
    bank.start()
    yield bank
    bank.stop()


def of(bank: PrivateSandbox) -> dict[str, str]:
    """The settings that lead to it."""
    return {
        "BOOKING_SANDBOX_URL": bank.url,
        "BOOKING_SANDBOX_SECRET": bank.secret,
        "BOOKING_PUBLIC_URL": bank.site_url,
    }


async def checkout_at(bank: PrivateSandbox, sale: Sale) -> str:
    """Two seats are held, named and about to be paid: where that is done. Now, since what came before took a while."""
    sale.now_s = int(time.time())
    ada = await sale.buyer("Ada")
    reference = await sale.hold(ada, "7C", "7D")
    await sale.name(ada, reference)
    async with ClientSession() as session:
        gateway = SandboxGateway(session, bank.url, bank.secret)
        return await payments.check_out(sale.db, gateway, ada, reference, f"{bank.site_url}/return", sale.now_s)


async def states(sale: Sale) -> list[str]:
    return [row.state for row in await rows(sale.db, select(bookings.c.state))]


async def test_reconcile_makes_tickets_of_what_was_paid_unheard(
    tmp_path: Path, sale: Sale, bank: PrivateSandbox
) -> None:
    """The bank has the money, and its event never came."""
    await bank.pay(await checkout_at(bank, sale))

    young = run(tmp_path, "reconcile", **of(bank))
    assert (young.returncode, await states(sale)) == (0, ["paying"])

    done = run(tmp_path, "reconcile", "--older-than", "0", **of(bank))
    assert done.stdout.splitlines() == [
        "Payments settled: 1. Refunds made: 0. Events looked into: 0.",
        "Left: payments 0, refunds 0, events 0.",
    ]
    assert (done.returncode, await states(sale)) == (0, ["ticketed"])


async def test_reconcile_gives_back_what_is_due(tmp_path: Path, sale: Sale, bank: PrivateSandbox) -> None:
    await bank.pay(await checkout_at(bank, sale))
    run(tmp_path, "reconcile", "--older-than", "0", **of(bank))
    [booking] = await rows(sale.db, select(bookings.c.account_id, bookings.c.reference))
    await cancel(sale.db, booking.account_id, booking.reference, sale.now_s)

    done = run(tmp_path, "reconcile", **of(bank))

    assert "Refunds made: 1." in done.stdout
    assert (done.returncode, await states(sale)) == (0, ["refunded"])


async def test_reconcile_says_what_is_left_where_the_bank_is_silent(
    tmp_path: Path, sale: Sale, bank: PrivateSandbox
) -> None:
    await checkout_at(bank, sale)
    bank.stop()
    ended = run(tmp_path, "reconcile", "--older-than", "0", **of(bank))
    assert ended.returncode == 1
    assert "Left: payments 1, refunds 0, events 0." in ended.stdout
    assert "the gateway does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_verify_finds_nothing_wrong_with_a_sale(tmp_path: Path, sale: Sale) -> None:
    await sale.ticketed(await sale.buyer("ada"), "7C", "7D")

    done = run(tmp_path, "verify")

    assert (done.returncode, done.stdout) == (0, f"All {len(INVARIANTS)} invariants hold.\n")


async def test_verify_names_what_is_wrong(tmp_path: Path, sale: Sale) -> None:
    await sale.ticketed(await sale.buyer("ada"), "7C", "7D")
    async with sale.db.engine.begin() as connection:
        await connection.execute(update(seats).where(seats.c.label == "7C").values(state="held"))

    done = run(tmp_path, "verify")

    assert done.returncode == 1
    assert "one owner per seat: (1, '7C', 'held', 1)" in done.stdout


async def test_export_writes_the_manifest_to_a_file_or_to_stdout(tmp_path: Path, sale: Sale) -> None:
    reference = await sale.ticketed(await sale.buyer("Ada"), "7C")
    path = tmp_path / "manifest.csv"

    to_file = run(tmp_path, "export", str(sale.flight_id), "--output", str(path))
    to_stdout = run(tmp_path, "export", str(sale.flight_id))

    assert (to_file.returncode, to_file.stdout, to_file.stderr) == (0, "", "Passengers: 1\n")
    assert path.read_bytes().decode().count("\r\n") == 2
    assert f"{reference},977" in path.read_text()
    assert to_stdout.stdout == path.read_text()


async def test_export_has_those_without_a_ticket_if_asked_to(tmp_path: Path, sale: Sale) -> None:
    reference = await sale.hold(await sale.buyer("Ada"), "7C")
    assert reference not in run(tmp_path, "export", str(sale.flight_id)).stdout
    assert reference in run(tmp_path, "export", str(sale.flight_id), "--all").stdout


@pytest.fixture
def inside(tmp_path: Path) -> Callable[..., Result]:
    """Runs a command in this process, on a database without a schema: quicker, and for what ends before it began."""
    settings = environment(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, arguments, env=settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "H7 102"], "'H7 102' is not a valid integer"),
        (["export", "0"], "0 is not in the range"),
        (["export"], "Missing argument 'FLIGHT_ID'"),
        (["seed", "--flights", "0"], "0 is not in the range"),
        (["reconcile", "--older-than", "-1"], "-1 is not in the range"),
        (["depart"], "No such command 'depart'"),
    ],
)
def test_wrong_arguments_are_named(inside: Callable[..., Result], arguments: list[str], message: str) -> None:
    ended = inside(*arguments)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert message in ended.stderr


@pytest.mark.parametrize("command", [["sweep"], ["reconcile"], ["export", "1"]])
def test_commands_need_the_schema_of_this_version(inside: Callable[..., Result], command: list[str]) -> None:
    ended = inside(*command)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert "run `booking migrate`" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "4711"], "There is no flight 4711."),
        (["export", "1", "--output", "/nowhere/manifest.csv"], "'/nowhere/manifest.csv': No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence(
    inside: Callable[..., Result], arguments: list[str], message: str
) -> None:
    assert inside("seed", "--flights", "1").exit_code == 0
    ended = inside(*arguments)
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert message in ended.stderr
