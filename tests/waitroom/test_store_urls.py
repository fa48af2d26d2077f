"""The store by url: one Redis, sentinels, a cluster; with a login, by TLS; and the lines when a part of it dies."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import pytest

from tests.servers import (
    PATIENCE_S,
    Authority,
    PrivateCluster,
    PrivateRedis,
    PrivateSentinel,
    eventually,
    free_port,
    tls_server,
)
from tests.waitroom.running import PAGE, Origin, Waitroom, number_of, visitor
from waitroom import settings
from waitroom.errors import StoreLostError
from waitroom.limits import Limits
from waitroom.line import Joined, Line
from waitroom.lines import Lines
from waitroom.memory import Memory
from waitroom.standing import Called, Waiting
from waitroom.store import Store

# As many as it takes for each node of a cluster of three to have some.
NAMES = [f"line-{i}" for i in range(12)]
LIMITS = Limits(
    version=1,
    edited_ms=0,
    mode="auto",
    rate_per_minute=6000,
    burst=101,
    cap=1,
    claim_ms=60_000,
    presence_ms=60_000,
    session_ms=60_000,
)
# With what has to be written otherwise in a url.
PASSWORD = "a/b?c@d"
MASTER = "mymaster"

Server = TypeVar("Server", PrivateRedis, PrivateSentinel, PrivateCluster)


class Machines:
    """The servers that a test starts; they end with it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._folders = 0

    def folder(self) -> Path:
        self._folders += 1
        return self._folder / f"machine-{self._folders}"

    def start(self, server: Server) -> Server:
        self._stack.enter_context(closing(server))
        server.start()
        return server

    def authority(self) -> Authority:
        if not tls_server():
            reason = "this redis-server was built without TLS (Debian: redis-server)"
            if os.environ.get("CI") == "true":
                pytest.fail(reason)
            pytest.skip(reason)
        return Authority(self.folder())

    def redis(self, kind: str = "") -> PrivateRedis:
        """`kind` may say "password", "tls"."""
        password = PASSWORD if "password" in kind else ""
        tls = self.authority() if "tls" in kind else None
        return self.start(PrivateRedis(self.folder(), password=password, tls=tls))

    def replica(self, primary: PrivateRedis) -> PrivateRedis:
        password, tls = primary.password, primary.tls
        return self.start(PrivateRedis(self.folder(), password=password, tls=tls, primary=primary))

    def sentinel(self, primary: PrivateRedis, down_after_ms: int = 60_000) -> PrivateSentinel:
        """Slow to judge, unless a test says otherwise: a primary that stands still for a moment is not gone."""
        return self.start(
            PrivateSentinel(self.folder(), primary, name=MASTER, password=primary.password, down_after_ms=down_after_ms)
        )

    def cluster(self, kind: str = "") -> PrivateCluster:
        password = PASSWORD if "password" in kind else ""
        tls = self.authority() if "tls" in kind else None
        return self.start(PrivateCluster(self.folder(), password=password, tls=tls))

    def url(self, kind: str) -> str:
        """The url of what `kind` says, started."""
        if "cluster" in kind:
            return self.cluster(kind).url
        if "sentinel" in kind:
            return self.sentinel(self.redis(kind)).url
        return self.redis(kind).url


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with ExitStack() as stack:
        yield Machines(tmp_path, stack)


@pytest.fixture
async def opened() -> AsyncIterator[Callable[[str], Store]]:
    """Opens stores, and closes them in the end. They are patient: a busy machine takes seconds for a dozen TLS
    handshakes."""
    async with AsyncExitStack() as stack:

        def open_store(url: str, timeout_ms: int = 30_000) -> Store:
            store = Store(url, timeout_ms)
            stack.push_async_callback(store.close)
            return store

        yield open_store


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():
            await asyncio.sleep(0.05)


async def answers(store: Store) -> bool:
    try:
        await store.ping()
    except StoreLostError:
        return False
    return True


async def is_lost(line: Line) -> bool:
    try:
        await line.tick()
    except StoreLostError:
        return True
    return False


async def loss(store: Store) -> StoreLostError:
    """What the store says of being lost, which it must say in time, and of a line as well as of itself."""
    async with asyncio.timeout(PATIENCE_S):
        with pytest.raises(StoreLostError) as first:
            await Line("line", LIMITS, store).join("")
        with pytest.raises(StoreLostError) as again:
            await store.ping()
    assert store.lost
    assert store.is_lost("line")
    assert again.value.remedy == first.value.remedy
    return again.value


@pytest.mark.parametrize(
    "kind",
    [
        f"{way}{extra}"
        for way in ("server", "sentinel", "cluster")
        for extra in ("", " with password", " with tls and password")
    ],
)
async def test_lines_work_over(kind: str, machines: Machines, opened: Callable[[str], Store]) -> None:
    """Each gives its first visitor the place, lets the second wait, and calls the second when the first has left."""
    store = opened(machines.url(kind))
    await store.ping()

    async def work(line: Line) -> None:
        first, second = await joined(line), await joined(line)
        assert first.lease_end_ms
        assert (second.number, second.lease_end_ms) == (first.number + 1, None)
        assert isinstance(await line.claim((first.number, 0)), Called)
        line.poll(second.number)
        await line.tick()
        assert isinstance(await line.look(second.number), Waiting)
        await line.release(first.number)
        await line.look(second.number)
        await until(lambda: is_called(line, second.number))
        assert isinstance(await line.claim((second.number, 0)), Called)

    await asyncio.gather(*(work(new_line(name, store)) for name in NAMES))
    assert not store.lost


def new_line(name: str, store: Store) -> Line:
    return Line(name, LIMITS, store, is_new=True)


async def joined(line: Line) -> Joined:
    given = await line.join("")
    assert given
    return given


async def is_called(line: Line, number: int) -> bool:
    await line.tick()
    return isinstance(await line.look(number), Called)


async def test_the_lines_of_a_cluster_stand_on_all_its_nodes(
    machines: Machines, opened: Callable[[str], Store]
) -> None:
    cluster = machines.cluster()
    store = opened(cluster.url)
    for name in NAMES:
        await Line(name, LIMITS, store).join("")
    assert all(cluster.node_of(name).client.exists(f"wr:{{{name}}}:state") for name in NAMES)
    assert {cluster.node_of(name).port for name in NAMES} == {node.port for node in cluster.nodes}


@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_that_redis_forgets_its_scripts_is_not_noticed(
    kind: str, machines: Machines, opened: Callable[[str], Store]
) -> None:
    servers = machines.cluster().nodes if kind == "cluster" else [machines.redis()]
    store = opened(servers[0].url.replace("redis:", "redis+cluster:") if kind == "cluster" else servers[0].url)
    lines = [new_line(name, store) for name in NAMES]
    first = [(await joined(line)).number for line in lines]
    for server in servers:
        server.client.script_flush()
    assert [(await joined(line)).number for line in lines] == [number + 1 for number in first]
    for line, number in zip(lines, first, strict=True):
        await line.look(number + 1)
        await line.release(number)
    assert not store.lost


@pytest.mark.parametrize("end", ["is killed", "hands over, and becomes a replica", "is killed, login and tls"])
async def test_the_line_goes_on_when_the_primary(end: str, tmp_path: Path, machines: Machines, origin: Origin) -> None:
    """I4, by a waitroom that nobody restarts: sentinels put the replica in its place, and every number stays."""
    primary = machines.redis("password tls" if "tls" in end else "")
    replica = machines.replica(primary)
    sentinel = machines.sentinel(primary, down_after_ms=5_000)
    waitroom = Waitroom(tmp_path, sentinel.url, origin.port)
    waitroom.set(cap=1)
    async with waitroom.serving(), AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(visitor()) for _ in range(4)]
        for one in visitors:
            async with one.get(waitroom.url, headers=PAGE):
                pass
        numbers = [number_of(one) for one in visitors]
        replica.catch_up()
        primary.kill() if "killed" in end else sentinel.command("SENTINEL FAILOVER", MASTER)
        await eventually(lambda: replica.client.info("replication")["role"] == "master")

        async def in_order() -> bool:
            told = []
            for one in visitors[1:]:
                async with one.get(waitroom.place_url) as response:
                    told.append(await response.json())
            return [place.get("position") for place in told] == [1, 2, 3] and not any(p["paused"] for p in told)

        await until(in_order)
        assert [number_of(one) for one in visitors] == numbers
        async with visitor() as newcomer, newcomer.get(waitroom.url, headers=PAGE):
            assert number_of(newcomer) > max(numbers)
        assert replica.client.zrange("wr:{site}:inside", 0, -1) == [str(numbers[0]).encode()]


async def test_a_dead_node_of_a_cluster_stops_its_own_lines_only(
    machines: Machines, opened: Callable[[str], Store]
) -> None:
    """And they go on when it is back, empty, with numbers that were never given."""
    cluster = machines.cluster()
    store = opened(cluster.url)
    lines = {name: new_line(name, store) for name in NAMES}
    numbers = {name: (await joined(line)).number for name, line in lines.items()}
    dead = cluster.node_of(NAMES[0])
    dead.kill()
    await until(lambda: is_lost(lines[NAMES[0]]))
    stopped = {name for name in NAMES if cluster.node_of(name) is dead}
    for round_of_ticks in range(5):
        assert {name for name in NAMES if await is_lost(lines[name])} == stopped, round_of_ticks
        assert {name for name in NAMES if store.is_lost(name)} == stopped
        assert not await answers(store)
    for name in set(NAMES) - stopped:
        assert (await joined(lines[name])).number == numbers[name] + 1
    dead.start()
    await until(lambda: answers(store))
    assert not store.lost
    for name in stopped:
        assert (await joined(lines[name])).number > numbers[name]


async def test_rooms_on_other_nodes_do_not_wait_for_a_dead_one(
    tmp_path: Path, machines: Machines, opened: Callable[[str], Store]
) -> None:
    cluster = machines.cluster()
    text = "".join(f'[[rooms]]\nname = "{name}"\nhosts = ["{name}"]\norigins = ["http://o"]\n' for name in NAMES)
    rooms = {room.name: room for room in settings.parse(f"version = 1\n{text}", "x").to_rooms(0)}
    lines = Lines(opened(cluster.url), rooms.values(), Memory(tmp_path), time.monotonic)
    await lines.tick()
    dead = cluster.node_of(NAMES[0])
    dead.kill()
    with pytest.raises(StoreLostError):
        await lines.tick()
    assert {name for name in NAMES if lines.is_lost(lines.of(rooms[name]))} == {
        n for n in NAMES if cluster.node_of(n) is dead
    }
    assert not lines.store_lost
    before = {name: seen_ms(lines.of(rooms[name])) for name in NAMES}

    async def later() -> bool:
        with pytest.raises(StoreLostError):
            await lines.tick()
        moved = {name for name in NAMES if seen_ms(lines.of(rooms[name])) > before[name]}
        return moved == {name for name in NAMES if cluster.node_of(name) is not dead}

    await until(later)
    for node in cluster.nodes:
        node.kill()
    with pytest.raises(StoreLostError):
        await lines.tick()
    assert lines.store_lost


def seen_ms(line: Line) -> int:
    assert line.snapshot
    return line.snapshot.now_ms


async def test_a_cluster_is_found_again_after_all_its_nodes_were_gone(
    machines: Machines, opened: Callable[[str], Store]
) -> None:
    cluster = machines.cluster()
    store = opened(cluster.url)
    line = new_line("line", store)
    before = (await joined(line)).number
    for node in cluster.nodes:
        node.kill()
    await until(lambda: is_lost(line))
    assert not await answers(store)
    for node in cluster.nodes:
        node.start()
    await until(lambda: answers(store))
    assert (await joined(line)).number > before


@pytest.mark.parametrize("kind", ["server", "sentinel", "cluster"])
async def test_a_frozen_redis_is_lost_in_time_and_found_again(
    kind: str, machines: Machines, opened: Callable[..., Store]
) -> None:
    if kind == "cluster":
        cluster = machines.cluster()
        servers, url = cluster.nodes, cluster.url
    else:
        redis = machines.redis()
        servers, url = [redis], machines.sentinel(redis).url if kind == "sentinel" else redis.url
    store = opened(url, timeout_ms=100)
    line = Line("line", LIMITS, store)
    await until(lambda: answers(store))
    await until(lambda: joins(line))
    for server in servers:
        server.freeze()
    assert (await loss(store)).cause
    for server in servers:
        server.thaw()
    await until(lambda: answers(store))
    await until(lambda: joins(line))


async def joins(line: Line) -> bool:
    try:
        await line.join("")
    except StoreLostError:
        return False
    return True


@pytest.mark.parametrize("kind", ["server", "sentinel", "cluster"])
async def test_a_wrong_password_is_told(kind: str, machines: Machines, opened: Callable[[str], Store]) -> None:
    right = machines.url(f"{kind} with password")
    # A sentinel has a password of its own, which is right.
    told = await loss(opened(right.replace(f":{quote(PASSWORD, safe='')}@", ":hunter2@")))
    assert "give the user name and the password" in told.remedy
    assert "hunter2" not in str(told)


async def test_a_wrong_password_of_the_sentinels_is_told(machines: Machines, opened: Callable[[str], Store]) -> None:
    right = machines.url("sentinel with password")
    told = await loss(opened(right.partition("?")[0]))
    assert "?sentinel_username=" in told.remedy


@pytest.mark.parametrize("kind", ["server", "sentinel", "cluster"])
async def test_a_certificate_of_another_authority_is_told(
    kind: str, machines: Machines, opened: Callable[[str], Store]
) -> None:
    right = machines.url(f"{kind} with tls")
    told = await loss(opened(f"{right.partition('?')[0]}?ssl_ca_certs={Authority(machines.folder()).ca}"))
    assert "?ssl_ca_certs=FILE" in told.remedy


async def test_a_certificate_is_shown_where_one_is_wanted(machines: Machines, opened: Callable[[str], Store]) -> None:
    tls = machines.authority()
    redis = machines.start(PrivateRedis(machines.folder(), tls=tls, tls_auth_clients="yes"))
    assert not await answers(opened(redis.url))
    await opened(f"{redis.url}&ssl_certfile={tls.certificate}&ssl_keyfile={tls.key}").ping()


@pytest.mark.parametrize("kind", ["server", "cluster"])
async def test_a_file_that_is_not_there_is_told(kind: str, opened: Callable[[str], Store]) -> None:
    scheme = {"server": "rediss", "cluster": "rediss+cluster"}[kind]
    told = await loss(opened(f"{scheme}://127.0.0.1:{free_port()}?ssl_ca_certs=/nowhere/ca.pem"))
    assert "a file or socket that [store] url names can't be opened" in told.remedy


async def test_a_master_that_no_sentinel_knows_is_told(machines: Machines, opened: Callable[[str], Store]) -> None:
    told = await loss(opened(machines.url("sentinel").replace(MASTER, "nobody")))
    assert told.cause == "MasterNotFoundError: no master 'nobody'"
    assert "know no master of that name" in told.remedy


async def test_that_no_sentinel_answers_is_told(opened: Callable[[str], Store]) -> None:
    told = await loss(opened(f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{free_port()}/{MASTER}"))
    assert told.cause == "MasterNotFoundError: no sentinel answers"
    assert "see that the hosts and ports" in told.remedy


async def test_what_is_taken_for_something_else_is_told(machines: Machines, opened: Callable[[str], Store]) -> None:
    redis = machines.redis()
    cluster = machines.cluster()
    node = next(node for node in cluster.nodes if node is not cluster.node_of("line"))
    for url, remedy in [
        (redis.url.replace("redis:", "redis+cluster:"), "it is no cluster"),
        (f"{redis.url.replace('redis:', 'redis+sentinel:')}/{MASTER}", "should name the sentinels"),
        (machines.sentinel(redis).url.removesuffix(f"/{MASTER}").replace("+sentinel", ""), "if it is a sentinel"),
        (machines.replica(redis).url, "a replica was reached"),
        (node.url, "begin [store] url with redis+cluster://"),
    ]:
        assert remedy in (await loss(opened(url))).remedy, url


async def test_at_the_start_the_log_says_what_is_wrong_with_the_url(
    tmp_path: Path, machines: Machines, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with the setting, the cause and the remedy, and without the password."""
    waitroom = Waitroom(tmp_path, f"redis://:hunter2@127.0.0.1:{machines.redis('password').port}", origin.port)
    waitroom.set()
    async with waitroom.serving():
        await eventually(lambda: "[store] url" in caplog.text)
    told = [record.message for record in caplog.records if "[store] url" in record.message]
    assert len(told) == 1
    assert "AuthenticationError" in told[0]
    assert "give the user name and the password" in told[0]
    assert "hunter2" not in caplog.text
