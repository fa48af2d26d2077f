"""The servers that `scripts/bench` compares, each a process with a port of its own, and what visitors ask there."""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import click

from scripts.benches import peers
from scripts.benches.machine import MEASURED, OTHERS
from scripts.benches.wrk import CONNECTIONS, Asked
from tests.servers import free_port
from waitroom.embedded import find_server

MEMORY = "/dev/shm"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
BODY = "x" * 1024
LARGE = 65_536
HUGE = 1_048_576
# What the origin answers there; anywhere else it answers BODY.
NOTHING_PATH, LARGE_PATH, HUGE_PATH, STREAM_PATH = "/nothing", "/large", "/huge", "/stream"
PAGE, APP = "text/html", "application/json"
# What the system, or the front, adds by itself.
OWN_FIELDS = {"content-type", "content-length", "date", "server", "connection", "keep-alive"}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; server_tokens off; keepalive_requests 1000000000;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {http}
}}
"""
NGINX_PROXY = """
upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; keepalive_requests 1000000000; }}
server {{
    listen 127.0.0.1:{port}; {buffers}
    location / {{
        proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"""
NGINX_ANSWER = """
server {{ listen 127.0.0.1:{port}; location / {{ default_type "{kind}"; {fields} return 200 '{body}'; }} }}
"""
# A stream is a file whose length is not told: looking for includes makes chunks of it.
NGINX_ORIGIN = """
server {{
    listen 127.0.0.1:{port}; default_type text/plain; root {folder}; sendfile on; tcp_nopush on;
    location / {{ return 200 '{body}'; }}
    location = {nothing} {{ return 200; }}
    location = {large} {{ try_files /large =404; }}
    location = {huge} {{ try_files /huge =404; }}
    location = {stream} {{ ssi on; ssi_types text/plain; try_files /huge =404; }}
}}
"""
# From memory: the file is on a file system in memory, stays open, and is read in one call.
NGINX_PAGE = """
open_file_cache max=8 inactive=1h; open_file_cache_valid 1h; output_buffers 2 64k;
server {{
    listen 127.0.0.1:{port};
    location / {{
        root {folder}; try_files /page =404; default_type "{kind}"; {fields}
        etag off; max_ranges 0; add_header Last-Modified "";
    }}
}}
"""
HAPROXY = """
global
    nbthread 1
    maxconn 2000
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option forwardfor
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    server origin 127.0.0.1:{origin}
"""
# Everybody comes in, for a day.
OPEN_ROOM = """
[[rooms]]
name = "site"
origins = ["http://127.0.0.1:{origin}"]
rate_per_minute = 6000000
cap = 100000
claim_s = 3600
session_s = 86400
"""
WAITROOM = (
    """
version = 1
[server]
listen = ["127.0.0.1:{port}"]
workers = {workers}
state = "{folder}/state"
[admin]
listen = "127.0.0.1:{admin}"
[store]
url = "{redis}"
timeout_ms = 2000
[[rooms]]
name = "held"
paths = ["/held/*"]
mode = "hold"
origins = ["http://127.0.0.1:{origin}"]
"""
    + OPEN_ROOM
)


@dataclass(frozen=True, slots=True)
class Server:
    """One that runs."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a visitor got."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes

    @property
    def kind(self) -> str:
        return next(value for name, value in self.fields if name.lower() == "content-type")


class Contenders:
    """Starts servers, and stops them all when the context ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def origin(self) -> Server:
        """A kilobyte for every request, but for the paths above; the stream is as large as what is huge."""
        port, folder = free_port(), self._own("origin-files")
        (folder / "large").write_text("x" * LARGE)
        (folder / "huge").write_text("x" * HUGE)
        paths = {"nothing": NOTHING_PATH, "large": LARGE_PATH, "huge": HUGE_PATH, "stream": STREAM_PATH}
        return self._nginx("origin", NGINX_ORIGIN.format(port=port, folder=folder, body=BODY, **paths), port, OTHERS)

    def redis(self) -> str:
        """The URL of a Redis with the settings of the embedded one."""
        port = free_port()
        folder = self._own("redis")
        options = ["--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--save", ""]
        self._start("redis", [find_server(), *options], port, OTHERS)
        return f"redis://127.0.0.1:{port}/0"

    def waitroom(
        self,
        origin: int,
        redis: str,
        *,
        name: str = "waitroom",
        workers: int = 1,
        core: int | None = MEASURED,
        is_source: bool = False,
    ) -> Server:
        """One room that lets everybody in, and at /held/ one in which everybody waits. With `is_source` nothing in it
        is compiled."""
        port, admin, folder = free_port(), free_port(), self._own(name)
        config = folder / "waitroom.toml"
        ports = {"port": port, "admin": admin, "origin": origin}
        config.write_text(WAITROOM.format(folder=folder, redis=redis, workers=workers, **ports))
        command = [sys.executable, "-m", "waitroom", "serve", "--config", str(config)]
        source = ["env", f"PYTHONPATH={Path.cwd()}"] if is_source else []
        return self._start(name, [*source, *command], port, core)

    def nginx(self, origin: int) -> Server:
        """As it comes: with eight buffers of a page each."""
        return self._nginx_proxy("nginx", origin, "")

    def nginx_with_larger_buffers(self, origin: int) -> Server:
        """Eight of 16 KB, as HAProxy's are."""
        buffers = "proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 32k;"
        return self._nginx_proxy("nginx-larger-buffers", origin, buffers)

    def haproxy(self, origin: int) -> Server:
        port, folder = free_port(), self._own("haproxy")
        config = folder / "haproxy.cfg"
        config.write_text(HAPROXY.format(port=port, origin=origin))
        return self._start("haproxy", [program("haproxy"), "-db", "-f", str(config)], port)

    def catch_all(self, origin: int) -> Server:
        port = free_port()
        command = [sys.executable, "-m", "scripts.benches.catch_all", str(port), f"http://127.0.0.1:{origin}"]
        return self._start("catch-all", command, port)

    def mitmproxy(self, origin: int) -> Server:
        """In reverse mode, quiet, bodies streamed. Raises ClickException where it can't be installed."""
        port, program = free_port(), peers.bin_folder("mitmproxy") / "mitmdump"
        terms = ["--set", f"confdir={self._own('mitmproxy')}", "--set", "stream_large_bodies=64k"]
        mode = ["--quiet", "--mode", f"reverse:http://127.0.0.1:{origin}", "--listen-host", "127.0.0.1"]
        return self._start("mitmproxy", [str(program), *mode, "--listen-port", str(port), *terms], port)

    def proxy_py(self, origin: int) -> Server:
        """Its reverse proxy, one process, a thread for each connection: without, a second request on a connection ends
        its worker. Raises ClickException where it can't be installed."""
        port, program = free_port(), peers.bin_folder("proxy.py") / "proxy"
        place = ["--hostname", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
        shape = ["--threaded", "--num-workers", "1", "--num-acceptors", "1", "--data-dir", str(self._own("proxy.py"))]
        plugin = ["--enable-reverse-proxy", "--plugins", "scripts.benches.proxy_py_routes.Everything"]
        told = ["env", f"ORIGIN=http://127.0.0.1:{origin}", f"PYTHONPATH={Path.cwd()}"]
        return self._start("proxy.py", [*told, str(program), *place, *shape, *plugin], port)

    def nginx_return(self, reply: Reply) -> Server:
        """Answers what waitroom did, from its configuration."""
        return self._answering("nginx-return", reply.kind, _added(reply), reply.body.decode(), MEASURED)

    def nginx_page(self, reply: Reply) -> Server:
        """Answers what waitroom did, whatever bytes it is, from memory."""
        port = free_port()
        folder = Path(self._stack.enter_context(TemporaryDirectory(dir=MEMORY, prefix="waitroom-bench-")))
        folder.chmod(0o755)
        (folder / "page").write_bytes(reply.body)
        http = NGINX_PAGE.format(port=port, folder=folder, kind=reply.kind, fields=_added(reply))
        return self._nginx("nginx-page", http, port)

    def _nginx_proxy(self, name: str, origin: int, buffers: str) -> Server:
        port = free_port()
        return self._nginx(name, NGINX_PROXY.format(origin=origin, port=port, buffers=buffers), port)

    def configured(self, configuration: str, core: int | None = MEASURED, **values: object) -> Server:
        """A waitroom by a configuration of the caller's own, in which {port}, {admin} and {folder} stand for this
        server's, and each of the values for itself."""
        port, admin, folder = free_port(), free_port(), self._own("configured")
        config = folder / "waitroom.toml"
        config.write_text(configuration.format(port=port, admin=admin, folder=folder, **values))
        command = [sys.executable, "-m", "waitroom", "serve", "--config", str(config)]
        return self._start("configured", command, port, core)

    def _answering(self, name: str, kind: str, fields: str, body: str, core: int) -> Server:
        port = free_port()
        return self._nginx(name, NGINX_ANSWER.format(port=port, kind=kind, fields=fields, body=body), port, core)

    def _nginx(self, name: str, http: str, port: int, core: int = MEASURED) -> Server:
        folder = self._own(name)
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, http=http))
        return self._start(name, [program("nginx"), "-p", str(folder), "-c", str(config)], port, core)

    def _own(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder

    def _start(self, name: str, command: Sequence[str], port: int, core: int | None = MEASURED) -> Server:
        """On that core, or on any."""
        log = self._folder / f"{name}.log"
        pinned = command if core is None else ["taskset", "-c", str(core), *command]
        process = self._stack.enter_context(_running(pinned, log))
        deadline = time.monotonic() + START_TIMEOUT_S
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise click.ClickException(f"{name} did not start:\n{log.read_text()}")
            time.sleep(0.05)
        return Server(port, process.pid)


def admitted(port: int) -> Asked:
    """A page of the site, asked for by visitors who are inside for a day: the second visit makes a session of it."""
    visitors = [_visit(port, "/page?day=1", _visit(port, "/page?day=1", "")) for _ in range(CONNECTIONS)]
    if any(".admission=" not in cookies for cookies in visitors):
        raise click.ClickException("waitroom did not let everybody in")
    return Asked("/page?day=1", PAGE, visitors)


def get(port: int, asked: Asked) -> Reply:
    """What the first of the visitors gets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
    try:
        connection.request("GET", asked.path, headers=asked.visitors()[0])
        response = connection.getresponse()
        return Reply(response.status, response.getheaders(), response.read())
    except (OSError, http.client.HTTPException) as exc:
        raise click.ClickException(f"port {port} does not answer {asked.path}: {exc}") from exc
    finally:
        connection.close()


def _visit(port: int, path: str, cookies: str) -> str:
    """Asks for a page, and gives the Cookie field of the next request."""
    jar = SimpleCookie(cookies)
    for name, value in get(port, Asked(path, PAGE, [cookies])).fields:
        if name.lower() == "set-cookie":
            jar.load(value)
    return "; ".join(f"{name}={morsel.coded_value}" for name, morsel in jar.items())


def _added(reply: Reply) -> str:
    """The fields of a reply, as nginx is told to add them."""
    foreign = [(name, value) for name, value in reply.fields if name.lower() not in OWN_FIELDS]
    return "".join(f"add_header {name} {json.dumps(value)} always; " for name, value in foreign)


def program(name: str, package: str = "") -> str:
    """Where it is installed, by a package of another name if that is given. Raises ClickException."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if not found:
        raise click.ClickException(f"{name} is missing: install it (apt-get install {package or name})")
    return found


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _running(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
