"""`waitroom serve` with real processes: workers die, are replaced and relieved, and visitors do not notice."""

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from tests.servers import Authority, PrivateRedis, eventually, free_port
from tests.waitroom.running import Origin, Waitroom
from tests.waitroom.serving import Load, Served, runs, serve, watches
from tests.waitroom.test_listener import certificate
from tests.waitroom.test_proxy_protocol import version_1, version_2

TAKE_OVERS = 20


@pytest.fixture
def site(tmp_path: Path, redis: PrivateRedis, origin: Origin) -> Waitroom:
    """Two workers, and nobody waits."""
    waitroom = Waitroom(tmp_path, redis.url, origin.port, server={"workers": 2, "drain_s": 20})
    waitroom.set(mode="open")
    return waitroom


class SlowOrigin:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.answer.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
        writer.close()


@pytest.fixture
async def slow() -> AsyncIterator[SlowOrigin]:
    origin = SlowOrigin()
    async with await asyncio.start_server(origin.serve, "127.0.0.1", 0) as server:
        origin.port = server.sockets[0].getsockname()[1]
        yield origin
        origin.answer.set()


async def get(port: int) -> str:
    """On a new connection."""
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/seat") as response:
        assert response.status == 200
        return await response.text()


def is_refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


async def test_another_worker_takes_the_place_of_one_that_was_killed(site: Waitroom) -> None:
    """The sockets outlive it: who is queued in one is served by the next."""
    async with serve(site) as served:
        killed, other = sorted(served.workers)
        os.kill(killed, signal.SIGKILL)
        answers = await asyncio.gather(*(get(site.port) for _ in range(30)))
        assert len(answers) == 30
        await eventually(lambda: len(served.workers) == 2 and killed not in served.workers)
        assert other in served.workers
        served.signal(signal.SIGTERM)
        assert await served.ended() == 0


async def test_sigterm_lets_a_slow_request_finish_and_takes_no_new_ones(site: Waitroom, slow: SlowOrigin) -> None:
    site.origin_port = slow.port
    site.set(mode="open")
    async with serve(site) as served:
        request = asyncio.create_task(get(site.port))
        await slow.asked.wait()
        served.signal(signal.SIGTERM)
        await eventually(lambda: is_refused(site.port))
        assert not request.done()
        slow.answer.set()
        assert await request == "late"
        assert await served.ended() == 0


async def test_a_second_sigterm_waits_for_nobody(site: Waitroom, slow: SlowOrigin) -> None:
    site.origin_port = slow.port
    site.server["drain_s"] = 3_600
    site.set(mode="open")
    async with serve(site) as served:
        request = asyncio.create_task(get(site.port))
        await slow.asked.wait()
        served.signal(signal.SIGTERM)
        await eventually(lambda: is_refused(site.port))
        served.signal(signal.SIGTERM)
        assert await served.ended() == 0
    with pytest.raises(aiohttp.ClientError):
        await request


async def test_operators_see_all_workers_as_one(site: Waitroom) -> None:
    async with serve(site) as served:
        for _ in range(40):
            await get(site.port)
        assert len(list((site.folder / "state").glob("worker-*.sock"))) == 2
        # A worker that is too busy to answer another in time is left out.
        async with asyncio.timeout(60):
            while set((await site.status())["workers"]) != served.workers:
                await asyncio.sleep(0.05)
            while 'waitroom_requests_total{outcome="pass",room="site"} 40.0' not in await metrics(site):
                await asyncio.sleep(0.05)


async def metrics(site: Waitroom) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{site.admin_port}/metrics") as response,
    ):
        return await response.text()


async def test_workers_end_when_their_supervisor_is_killed(site: Waitroom) -> None:
    async with serve(site) as served:
        workers = served.workers
        assert len(workers) == 2
        served.signal(signal.SIGKILL)
        await served.ended()
        await eventually(lambda: not any(map(runs, workers)))


async def test_sighup_applies_all_settings_and_loses_no_request(site: Waitroom) -> None:
    load = Load(site.port)
    async with serve(site) as served, load.running():
        before = served.workers
        another = free_port()
        site.server |= {"workers": 3, "listen": [f"127.0.0.1:{site.port}", f"127.0.0.1:{another}"]}
        site.set(mode="open")
        served.signal(signal.SIGHUP)
        await eventually(lambda: served.told("with new workers"), 60)
        assert await get(another)
        await eventually(lambda: len(served.workers) == 3 and not served.workers & before, 60)

        site.server |= {"workers": 1, "listen": [f"127.0.0.1:{site.port}"]}
        site.set(mode="open")
        served.signal(signal.SIGHUP)
        await eventually(lambda: served.told("with new workers") == 2, 60)
        await eventually(lambda: is_refused(another))
        await eventually(lambda: len(served.workers) == 1, 60)
        count = load.answered
        await eventually(lambda: load.answered > count + 50)
    assert load.failures == []


def refused_once_more(served: Served, was: int) -> bool:
    return served.told("all stays as it was") == was + 1


async def test_a_bad_configuration_on_sighup_leaves_all_as_it_was(site: Waitroom) -> None:
    async with serve(site) as served:
        before = served.workers
        for wrong, faults in (
            ({"workers": 0, "drain_s": -1}, ("server.workers", "server.drain_s")),
            ({"listen": ["192.0.2.1:80"]}, ("can't listen on 192.0.2.1:80",)),
            ({"state": "/elsewhere"}, ("server.state",)),
        ):
            was = served.told("all stays as it was")
            good, site.server = site.server, site.server | wrong
            site.set(mode="open")
            served.signal(signal.SIGHUP)
            await eventually(partial(refused_once_more, served, was))
            assert all(served.told(fault) for fault in faults)
            site.server = good
        assert await get(site.port)
        assert served.workers == before


async def test_workers_that_can_not_serve_with_a_new_configuration_replace_nobody(site: Waitroom) -> None:
    """Keys are read by workers alone."""
    async with serve(site) as served:
        before = served.workers
        site.set(mode="open")
        text = site.config.read_text()
        site.config.write_text(text + '[keys]\nticket = ["/no/such/file"]\n')
        served.signal(signal.SIGHUP)
        await eventually(lambda: served.told("keys.ticket: /no/such/file"), 60)
        assert await get(site.port)
        assert served.workers == before


async def test_one_waitroom_after_another_takes_over_and_no_request_is_lost(site: Waitroom) -> None:
    load = Load(site.port)
    async with AsyncExitStack() as stack:
        all_of_them = [await stack.enter_async_context(serve(site))]
        async with load.running():
            for _ in range(TAKE_OVERS):
                all_of_them += [await stack.enter_async_context(serve(site, "--take-over"))]
            assert [await old.ended() for old in all_of_them[:-1]] == [0] * TAKE_OVERS
            count = load.answered
            await eventually(lambda: load.answered > count + 50)
    assert load.failures == []


async def test_the_embedded_redis_survives_a_takeover_and_is_kept_alive_after_it(site: Waitroom) -> None:
    site.redis_url = ""
    site.set(mode="open")
    pid_file = site.folder / "state" / "redis.pid"
    async with serve(site) as first:
        redis = int(pid_file.read_text())
        async with serve(site, "--take-over") as second:
            assert await first.ended() == 0
            assert runs(redis)
            os.kill(redis, signal.SIGKILL)
            await eventually(lambda: pid_file.exists() and int(pid_file.read_text() or redis) != redis)
            another = int(pid_file.read_text())
            async with serve(site, "--take-over") as third:
                assert await second.ended() == 0
                assert runs(another)
                third.signal(signal.SIGTERM)
                assert await third.ended() == 0
                await eventually(lambda: not runs(another))


async def test_without_one_to_take_over_the_newcomer_says_so(site: Waitroom) -> None:
    with pytest.raises(AssertionError, match=r"no waitroom with the state folder .* can be taken over"):
        async with serve(site, "--take-over"):
            pass


async def test_a_newcomer_that_can_not_serve_leaves_the_one_before_as_it_was(site: Waitroom) -> None:
    async with serve(site) as served:
        before = served.workers
        site.config.write_text(site.config.read_text() + '[keys]\nticket = ["/no/such/file"]\n')
        with pytest.raises(AssertionError, match="/no/such/file"):
            async with serve(site, "--take-over"):
                pass
        await eventually(lambda: served.told("has given up"))
        assert await get(site.port)
        assert served.workers == before


async def test_a_port_of_another_waitroom_is_refused_unless_it_is_taken_over(site: Waitroom) -> None:
    async with serve(site):
        with pytest.raises(AssertionError, match="Address already in use: stop what listens there"):
            async with serve(site):
                pass


@pytest.fixture
def by_tls(site: Waitroom, tmp_path: Path) -> int:
    """The port of a TLS listener, before which there is a balancer."""
    authority, port = Authority(tmp_path / "tls"), free_port()
    site.server["proxy_protocol"] = ["127.0.0.1"]
    site.server["tls"] = {
        "listen": [f"127.0.0.1:{port}"],
        "certificate": str(authority.certificate),
        "key": str(authority.key),
    }
    site.set(mode="open")
    return port


@pytest.mark.parametrize("make", [version_1, version_2])
async def test_a_balancer_speaks_the_proxy_protocol_before_http_and_before_tls(
    site: Waitroom, by_tls: int, tmp_path: Path, make: Callable[[str, int], bytes]
) -> None:
    trusting = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.pem")
    async with serve(site):
        for port, tls in ((site.port, None), (by_tls, trusting)):
            assert (await ask(port, make("192.0.2.7", 5), tls)).startswith(b"HTTP/1.1 200 ")
            assert await ask(port, b"", None) == b""


async def ask(port: int, before: bytes, tls: ssl.SSLContext | None) -> bytes:
    """The first line of what is answered to a request after these bytes."""
    raw = socket.socket()
    raw.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(raw, ("127.0.0.1", port))
    await loop.sock_sendall(raw, before)
    reader, writer = await asyncio.open_connection(sock=raw, ssl=tls, server_hostname="localhost" if tls else None)
    try:
        writer.write(b"GET /seat HTTP/1.1\r\nHost: site\r\nConnection: close\r\n\r\n")
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_renewed_certificate_is_served_by_all_workers(site: Waitroom, by_tls: int, tmp_path: Path) -> None:
    del site.server["proxy_protocol"]
    site.set(mode="open")
    async with serve(site) as served:
        before = await certificate(by_tls)
        await eventually(lambda: all(watches(worker, tmp_path / "tls") for worker in served.workers))
        Authority(tmp_path / "tls")
        async with asyncio.timeout(60):
            while before in [await certificate(by_tls) for _ in range(20)]:
                await asyncio.sleep(0.05)
