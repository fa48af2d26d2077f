"""Everything that a sale needs, as it would be run: waitroom with its Redis; behind it booking, with a Redis and a
database of its own, and a bank. They share all cores with each other, and with the crowd."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from scripts.benches.selling.books import DATABASE, ORIGIN, TERMS, Terms, as_line
from scripts.benches.selling.crowd import PATIENCE_S, Plan, Told
from scripts.benches.servers import APP, Contenders, Server, get
from scripts.benches.wrk import Asked
from tests.servers import free_port
from waitroom.embedded import find_server

ISSUER, AUDIENCE = "waitroom", "site"
# Of 30 days; a fifteenth of them flies the route that everybody wants.
FLIGHTS = 300
ROUTE = "JFK", "LHR"
# How much longer than the sale the crowd's process may take, to start and to add up.
MARGIN_S = 60.0
CONFIG = """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
workers = {workers}
trusted_proxies = ["127.0.0.1"]
state = "{folder}/state"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
timeout_ms = 5000
[[rooms]]
name = "site"
title = "Halcyon Air"
origins = ["http://127.0.0.1:{origin}"]
rate_per_minute = {rate_per_minute}
burst = {burst}
cap = {cap}
claim_s = {claim_s}
session_s = {session_s}
presence_s = {presence_s}
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What waitroom is told to keep."""

    rate_per_minute: int
    burst: int
    cap: int
    claim_s: int = 60
    session_s: int = 600
    presence_s: int = 120


class Site(Contenders):
    """Starts them all, and stops them when the context ends. What is written down goes to `books`."""

    def __init__(self, folder: Path, books: Path, limits: Limits, workers: int) -> None:
        super().__init__(folder)
        self._books, self._limits, self._workers = books, limits, workers
        self.port, self.origin_port, self.bank_port = free_port(), free_port(), free_port()
        self.servers: dict[str, Server] = {}
        self.redis_url = ""

    def start(self) -> None:
        """Raises ClickException where one of them does not start."""
        self.redis_url = self._redis("Redis of waitroom")
        booking_redis = self._redis("Redis of booking")
        environment = self._environment(booking_redis)
        self._seed(environment)
        booking = [*environment, sys.executable, "-c", "from booking.cli import main; main()"]
        origin = [*environment, sys.executable, "-m", "scripts.benches.selling.origin", str(self._books / ORIGIN)]
        self._run("waitroom", self._waitroom(), self.port)
        self._run("booking", origin, self.origin_port)
        self._run("bank", [*booking, "sandbox"], self.bank_port)

    def write_terms(self, visitors: int) -> None:
        """What is to be kept, and the keys by which admissions are judged."""
        jwks = json.loads(get(self.port, Asked("/.waitroom/jwks.json", APP, [""])).body)
        terms = Terms(visitors, audience=AUDIENCE, issuer=ISSUER, jwks=jwks, **asdict(self._limits))
        (self._books / TERMS).write_text(as_line(terms))

    def live(self, plan: Plan) -> Told:
        """Lives the crowd, in a process of its own. Raises ClickException where that fails, or takes far too long."""
        most_s = plan.seconds + PATIENCE_S + MARGIN_S
        its = [str(self.port), str(self.bank_port), str(self._books)]
        command = [sys.executable, "-m", "scripts.benches.selling.crowd", *its]
        try:
            told = subprocess.run(
                command, input=json.dumps(asdict(plan)), capture_output=True, text=True, timeout=most_s, check=True
            )
        except subprocess.CalledProcessError as exc:
            raise click.ClickException(f"the crowd failed:\n{exc.stderr}") from exc
        except subprocess.TimeoutExpired as exc:
            raise click.ClickException(f"the crowd took more than {most_s:.0f} s") from exc
        return Told.from_json(told.stdout)

    def take_records(self) -> None:
        """The database as it is now, to the books. Booking may go on."""
        databases = self._folder / DATABASE, self._books / DATABASE
        with closing(sqlite3.connect(databases[0])) as records, closing(sqlite3.connect(databases[1])) as copy:
            records.backup(copy)

    def _run(self, name: str, command: list[str], port: int) -> None:
        self.servers[name] = self._start(name, command, port, core=None)

    def _redis(self, name: str) -> str:
        port, folder = free_port(), self._own(name)
        options = ["--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
        self._run(name, [find_server(), *options], port)
        return f"redis://127.0.0.1:{port}/0"

    def _waitroom(self) -> list[str]:
        folder = self._own("waitroom")
        config = folder / "waitroom.toml"
        terms = asdict(self._limits) | {"port": self.port, "admin": free_port(), "workers": self._workers}
        config.write_text(CONFIG.format(folder=folder, redis=self.redis_url, origin=self.origin_port, **terms))
        return [sys.executable, "-m", "waitroom", "serve", "--config", str(config)]

    def _environment(self, redis_url: str) -> list[str]:
        """As `env` takes it."""
        variables: dict[str, Any] = {
            "LISTEN": f"127.0.0.1:{self.origin_port}",
            "ADMIN_LISTEN": f"127.0.0.1:{free_port()}",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "SANDBOX_URL": f"http://127.0.0.1:{self.bank_port}",
            "STATE_FOLDER": self._folder / "booking-state",
            "DATABASE_URL": f"sqlite+aiosqlite:///{self._folder / DATABASE}",
            "REDIS_URL": redis_url,
            "ADMISSION_KEYS": f"http://127.0.0.1:{self.port}/.waitroom/jwks.json",
        }
        return ["env", *(f"BOOKING_{name}={value}" for name, value in variables.items())]

    def _seed(self, environment: list[str]) -> None:
        command = [*environment, sys.executable, "-c", "from booking.cli import main; main()"]
        seeded = subprocess.run(
            [*command, "seed", "--flights", str(FLIGHTS)], capture_output=True, text=True, check=False
        )
        if seeded.returncode:
            raise click.ClickException(f"booking could not be seeded:\n{seeded.stderr}")


def wish() -> str:
    """What everybody looks for, as the query of a search: not today's flights, which may have left."""
    today = datetime.now(UTC).date()
    start, end = today + timedelta(days=2), today + timedelta(days=28)
    origin, destination = ROUTE
    return urlencode({"origin": origin, "destination": destination, "start": start, "end": end, "size": 50})
