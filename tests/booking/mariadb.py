"""A private MariaDB for tests: its own folder, its own socket, started and killed by the tests that use it."""

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

SERVER = shutil.which("mariadbd", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
INSTALL = shutil.which("mariadb-install-db", path="/usr/bin:/usr/local/bin")
# More than it takes on a busy machine, after a crash too.
START_S = 120
# What is written outlives the process, but need not outlive the machine.
OPTIONS = ("--skip-networking", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=64M")


class PrivateMariaDB:
    """`url` leads SQLAlchemy to a database on it. Its owner chooses what it may lose for its speed by `options`."""

    def __init__(self, folder: Path, options: Sequence[str] = OPTIONS) -> None:
        self._data = folder / "data"
        # A socket's path may have 107 characters, and a test's folder more.
        self._own = Path(tempfile.mkdtemp(prefix="mariadb-"))
        self.socket = self._own / "s"
        self._user = getpass.getuser()
        self._chosen = options
        self._process: subprocess.Popen[bytes] | None = None

    def install(self) -> None:
        options = [*self._options, "--auth-root-authentication-method=normal", "--skip-test-db"]
        done = subprocess.run([str(INSTALL), "--no-defaults", *options], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{INSTALL} failed: {done.stdout[-1000:]} {done.stderr[-1000:]}")

    def start(self) -> None:
        command = [str(SERVER), "--no-defaults", *self._options, f"--socket={self.socket}", *self._chosen]
        with (self._data / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"mariadbd did not start: {(self._data / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """As a crash would."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self._own)

    @property
    def pid(self) -> int:
        """While it runs."""
        assert self._process
        return self._process.pid

    def url(self, database: str) -> str:
        return f"mysql+aiomysql://root@localhost/{database}?unix_socket={self.socket}&charset=utf8mb4"

    def execute(self, statement: str) -> None:
        url = f"mysql+pymysql://root@localhost/?unix_socket={self.socket}"
        with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(text(statement))

    @property
    def _options(self) -> list[str]:
        # A server that starts removes what it takes for its own leavings, and in a shared folder another's tables.
        return [f"--datadir={self._data}", f"--tmpdir={self._own}", f"--user={self._user}"]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(str(self.socket)) == 0
