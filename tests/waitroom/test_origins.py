"""Which origin serves a request, and which connection: by a clock that the test holds, and connections of no bytes."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.waitroom.test_rooms import room as a_room
from waitroom.origin import Origin
from waitroom.origin_address import OriginAddress, parse
from waitroom.origin_terms import OriginTerms
from waitroom.origins import Origins, OriginState

A, B, C = "http://127.0.0.1:8001", "http://127.0.0.1:8002", "http://127.0.0.1:8003"
TERMS = OriginTerms(idle_s=4, connections=3, eject_after=1, eject_s=10, slow_start_s=10, health_fall=1)


class Connection:
    """Open until it is closed; nothing goes over it."""

    transport = None

    def __init__(self) -> None:
        self.is_usable = True

    def close(self) -> None:
        self.is_usable = False


@dataclass
class Bench:
    """Origins whose time and chance the test holds."""

    now_s: float = 0.0
    chance: Random = field(default_factory=lambda: Random(1))

    def __post_init__(self) -> None:
        self.origins = Origins(Connection, lambda: self.now_s, self.chance.random)

    def apply(self, **rooms: list[str]) -> None:
        self.origins.apply([a_room(name, origins=tuple(urls), origin_terms=TERMS) for name, urls in rooms.items()])

    def choose(self, room: str = "site", excluded: Origin[Connection] | None = None) -> Origin[Connection] | None:
        return self.origins.choose(a_room(room), excluded)

    def chosen(self, room: str = "site") -> Origin[Connection]:
        origin = self.choose(room)
        assert origin
        return origin

    def of(self, url: str, room: str = "site") -> Origin[Connection]:
        return next(origin for origin in self.origins._by_room[room] if origin.url == url)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.apply(site=[A, B, C])
    return bench


def occupy(origin: Origin[Connection], count: int = 1) -> list[Connection]:
    """Connections that are busy, as if they had been opened."""
    connections = [Connection() for _ in range(count)]
    origin.busy += count
    origin._taken.update(connections)
    return connections


def pool(origin: Origin[Connection], count: int = 1) -> list[Connection]:
    """Connections in the pool, the oldest first."""
    connections = occupy(origin, count)
    for connection in connections:
        origin.give_back(connection, reusable=True)
    return connections


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://site.example", OriginAddress("site.example", 80, False, "", b"site.example")),
        ("http://Site.example:8081", OriginAddress("site.example", 8081, False, "", b"Site.example:8081")),
        ("https://site.example", OriginAddress("site.example", 443, True, "", b"site.example")),
        ("http://bücher.example", OriginAddress("bücher.example", 80, False, "", b"xn--bcher-kva.example")),
        ("http://[::1]:8081", OriginAddress("::1", 8081, False, "", b"[::1]:8081")),
        ("unix:/run/site.sock", OriginAddress("localhost", 0, False, "/run/site.sock", b"localhost")),
    ],
)
def test_an_address_is_what_its_url_says(url: str, address: OriginAddress) -> None:
    assert parse(url) == address


def test_the_origin_with_the_least_requests_is_chosen(bench: Bench) -> None:
    occupy(bench.of(A), 2)
    occupy(bench.of(C))
    assert bench.chosen().url == B


def test_origins_with_equally_many_requests_are_chosen_equally_often(bench: Bench) -> None:
    counts = Counter(bench.chosen().url for _ in range(3000))
    assert all(900 < counts[url] < 1100 for url in (A, B, C)), counts


def test_an_origin_that_just_failed_is_not_chosen_again(bench: Bench) -> None:
    assert bench.choose(excluded=bench.of(A)) not in (bench.of(A), None)


def test_there_is_no_other_origin_where_there_is_but_one(bench: Bench) -> None:
    bench.apply(site=[A])
    assert bench.choose(excluded=bench.of(A)) is None


def test_no_origin_gets_more_requests_than_its_terms_allow(bench: Bench) -> None:
    for url in (A, B, C):
        occupy(bench.of(url), TERMS.connections)
    assert bench.choose() is None
    assert {state.why_not for state in bench.origins.states()} == {"full"}


def test_an_unknown_room_has_no_origin(bench: Bench) -> None:
    assert bench.choose("gone") is None


def test_an_ejected_origin_is_not_chosen(bench: Bench) -> None:
    bench.of(A).failed()
    bench.of(B).failed()
    assert {bench.chosen().url for _ in range(50)} == {C}


@pytest.mark.parametrize("urls", [[A, B], [B, A]])
def test_an_origin_comes_back_slowly(bench: Bench, urls: list[str]) -> None:
    """With nothing under way, its share of the requests is its weight among the weights."""
    bench.apply(site=urls)
    bench.of(A).failed()
    bench.now_s = TERMS.eject_s + 2
    share = Counter(bench.chosen().url for _ in range(3000))[A] / 3000
    assert 0.14 < share < 0.20  # 0.2 of 1.2


def test_an_origin_that_comes_back_has_fewer_requests_at_once(bench: Bench) -> None:
    bench.apply(site=[A, B])
    bench.of(A).failed()
    bench.now_s = TERMS.eject_s + 5
    occupy(bench.of(A), 1)
    occupy(bench.of(B), 1)
    assert {bench.chosen().url for _ in range(50)} == {B}


def test_where_all_are_ejected_the_least_bad_is_the_last_resort(bench: Bench) -> None:
    for url, failures in ((A, 3), (B, 1), (C, 2)):
        for _ in range(failures):
            bench.of(url).failed()
    assert bench.chosen().url == B


def test_each_failure_of_the_last_resort_makes_another_the_last_resort(bench: Bench) -> None:
    """So that one that works again is found soon, and the site is open."""
    for url in (A, B, C):
        bench.of(url).failed()
    asked = []
    for _ in range(3):
        asked.append(bench.chosen().url)
        bench.chosen().failed()
    assert sorted(asked) == [A, B, C]
    bench.of(B).succeeded()
    assert {bench.chosen().url for _ in range(50)} == {B}


def test_the_only_origin_is_asked_whatever_its_requests_say(bench: Bench) -> None:
    bench.apply(site=[A])
    for _ in range(20):
        bench.of(A).failed()
    assert bench.chosen().url == A


def test_no_last_resort_follows_a_failure(bench: Bench) -> None:
    bench.of(A).failed()
    bench.of(B).failed()
    assert bench.choose(excluded=bench.of(C)) is None


@pytest.mark.parametrize("others", ["unhealthy", "ejected"])
def test_an_origin_whose_checks_fail_is_never_the_last_resort(bench: Bench, others: str) -> None:
    bench.apply(site=[A, B])
    bench.of(A).health.checked(0, passed=False)
    if others == "ejected":
        bench.of(B).failed()
        assert bench.chosen().url == B
    else:
        bench.of(B).health.checked(0, passed=False)
        assert bench.choose() is None


def test_the_newest_connection_is_taken_first(bench: Bench) -> None:
    old, new = pool(bench.of(A), 2)
    assert bench.of(A).take() is new
    assert bench.of(A).take() is old
    assert bench.of(A).take() is None
    assert bench.of(A).busy == 2


def test_a_connection_that_has_become_unusable_is_not_taken(bench: Bench) -> None:
    first, second = pool(bench.of(A), 2)
    second.is_usable = False
    assert bench.of(A).take() is first


@pytest.mark.parametrize(("waited_s", "is_taken"), [(3.9, True), (4, False)])
def test_a_connection_that_waited_too_long_is_closed(bench: Bench, waited_s: float, is_taken: bool) -> None:
    """The origin may be about to close it: a request on it could be lost."""
    [connection] = pool(bench.of(A))
    bench.now_s = waited_s
    assert (bench.of(A).take() is connection) is is_taken
    assert connection.is_usable is is_taken
    assert bench.of(A).busy == is_taken


def test_a_connection_that_is_not_reusable_is_closed(bench: Bench) -> None:
    [connection] = occupy(bench.of(A))
    bench.of(A).give_back(connection, reusable=False)
    assert not connection.is_usable
    assert (bench.of(A).busy, bench.of(A).idle) == (0, 0)


def test_a_connection_is_given_back_once(bench: Bench) -> None:
    [connection] = pool(bench.of(A))
    with pytest.raises(KeyError):
        bench.of(A).give_back(connection, reusable=True)
    assert bench.of(A).busy == 0


def test_rooms_share_an_origin_and_its_pool(bench: Bench) -> None:
    bench.apply(site=[A], shop=[A, B])
    assert bench.of(A, "site") is bench.of(A, "shop")


def test_an_origin_named_twice_is_one(bench: Bench) -> None:
    bench.apply(site=[A, A, B])
    assert [state.url for state in bench.origins.states()] == [A, B]


def test_an_origin_with_other_terms_is_another() -> None:
    bench = Bench()
    bench.origins.apply(
        a_room(name, origins=(A,), origin_terms=OriginTerms(idle_s=idle_s))
        for name, idle_s in (("site", 1), ("shop", 2))
    )
    assert bench.of(A, "site") is not bench.of(A, "shop")


def test_a_change_of_rooms_keeps_the_origins_that_stay(bench: Bench) -> None:
    kept, [connection] = bench.of(A), pool(bench.of(A))
    kept.failed()
    bench.apply(site=[B, A])
    assert bench.of(A) is kept
    assert connection.is_usable
    assert kept.why_not() == "ejected"


def test_a_change_of_rooms_closes_the_idle_connections_of_origins_that_go(bench: Bench) -> None:
    going, [idle], [busy] = bench.of(A), pool(bench.of(A)), occupy(bench.of(A))
    bench.apply(site=[B])
    assert not idle.is_usable
    assert busy.is_usable, "a request under way is not disturbed"
    going.give_back(busy, reusable=True)
    assert not busy.is_usable


async def test_origins_that_close_leave_no_idle_connection(bench: Bench) -> None:
    connections = [*pool(bench.of(A)), *pool(bench.of(B), 2)]
    await bench.origins.close()
    assert not any(connection.is_usable for connection in connections)


def test_states_tell_how_each_origin_does(bench: Bench) -> None:
    bench.apply(site=[A, B], shop=[B, C])
    pool(bench.of(A), 2)
    occupy(bench.of(A), 1)
    bench.of(B).failed()
    assert bench.origins.states() == [
        OriginState(("site",), A, busy=1, idle=2, is_available=True, why_not="", fault=""),
        OriginState(("site", "shop"), B, busy=0, idle=0, is_available=False, why_not="ejected", fault=""),
        OriginState(("shop",), C, busy=0, idle=0, is_available=True, why_not="", fault=""),
    ]
