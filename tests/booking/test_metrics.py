"""What operators are told: each thing that happens is counted once, under a name that no visitor chooses."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from booking import refunds, search
from booking.cache import Cache
from booking.db import CONNECTIONS, Database, StaleError
from booking.errors import SeatTaken
from booking.figures import KEPT_S, Figures, Unfinished
from booking.metrics import Metrics
from booking.outbox import announce
from booking.sweeper import Swept
from booking.tables import DeliveryState, inbox
from tests.booking.bench import NOW_S, Clock, add_flight, departure
from tests.booking.sale import Sale
from tests.servers import eventually

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def metrics(db: Database, cache: Cache) -> Metrics:
    metrics = Metrics()
    metrics.watch(db, cache)
    return metrics


@pytest.fixture
async def sale(db: Database, metrics: Metrics) -> Sale:
    return Sale(db, await add_flight(db, departure()))


@pytest.fixture
def unfinished(db: Database, clock: Clock) -> Unfinished:
    return Unfinished(db, lambda: clock.now_s)


def value(metrics: Metrics, sample: str, /, **labels: str) -> float:
    """0 if there is no such sample yet."""
    return metrics.registry.get_sample_value(sample, labels) or 0


def exposed(metrics: Metrics, figures: Figures | None) -> str:
    metrics.note_stores(figures, redis_answers=True)
    return generate_latest(metrics.registry).decode()


async def told(metrics: Metrics, unfinished: Unfinished) -> dict[str, float]:
    """The samples without labels, and those with one label under `name:label`."""
    text = exposed(metrics, await unfinished.figures())
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {":".join((sample.name, *sample.labels.values())): sample.value for sample in samples}


async def test_readings_and_writes_are_counted_by_name_and_end(db: Database, metrics: Metrics) -> None:
    async def _unlucky(_connection: AsyncConnection) -> None:
        if value(metrics, "booking_database_attempts_total", name="unlucky", outcome="retried", cause="stale") < 2:
            raise StaleError

    async def _refused(_connection: AsyncConnection) -> None:
        raise SeatTaken(["7C"], 1)

    await db.write(_unlucky)
    with pytest.raises(SeatTaken):
        await db.write(_refused)
    async with db.reading("glance"):
        pass

    def attempts(name: str, outcome: str, cause: str = "") -> float:
        return value(metrics, "booking_database_attempts_total", name=name, outcome=outcome, cause=cause)

    assert attempts("unlucky", "retried", "stale") == 2
    assert attempts("unlucky", "done") == 1
    assert attempts("refused", "refused", "seat_taken") == 1
    assert attempts("glance", "done") == 1
    assert value(metrics, "booking_database_attempt_duration_seconds_count", name="unlucky") == 3


@pytest.mark.parametrize("database_url", ["mariadb"], indirect=True)
async def test_a_deadlock_is_counted_as_one(db: Database, metrics: Metrics) -> None:
    ids = [await add_flight(db, departure(number=f"H7 {number}")) for number in range(2)]
    waiting = [asyncio.Event(), asyncio.Event()]

    async def _crosswise(connection: AsyncConnection, first: int) -> None:
        for step in (first, 1 - first):
            statement = f"UPDATE flights SET grade = '{first}' WHERE id = {ids[step]}"
            await connection.exec_driver_sql(statement)
            waiting[first].set()
            await waiting[1 - first].wait()

    await asyncio.gather(db.write(_crosswise, 0), db.write(_crosswise, 1))
    labels = {"name": "crosswise", "outcome": "retried", "cause": "deadlock"}
    assert value(metrics, "booking_database_attempts_total", **labels) >= 1


async def test_wishes_to_hold_are_counted_by_what_became_of_them(sale: Sale, metrics: Metrics) -> None:
    ada, grace = await sale.buyer("Ada"), await sale.buyer("Grace")
    await sale.hold(ada, "7C")
    with pytest.raises(SeatTaken):
        await sale.hold(grace, "7C", "7D")

    assert value(metrics, "booking_holds_total", outcome="held") == 1
    assert value(metrics, "booking_holds_total", outcome="seat_taken") == 1


@on_sqlite
async def test_who_waits_for_a_connection_is_seen(db: Database, metrics: Metrics) -> None:
    may_go = asyncio.Event()

    async def read() -> None:
        async with db.reading("long"):
            await may_go.wait()

    def connections(state: str) -> float:
        return value(metrics, "booking_database_connections", state=state)

    def waiting() -> float:
        return value(metrics, "booking_database_connections_waiting")

    readers = [asyncio.create_task(read()) for _ in range(CONNECTIONS + 3)]
    await eventually(lambda: connections("in_use") == CONNECTIONS)
    await eventually(lambda: waiting() == 3)
    assert value(metrics, "booking_database_connections_limit") == CONNECTIONS
    may_go.set()
    await asyncio.gather(*readers)
    assert (connections("in_use"), connections("idle"), waiting()) == (0, CONNECTIONS, 0)


async def test_what_is_still_to_be_done_is_read_from_the_database(
    sale: Sale, metrics: Metrics, unfinished: Unfinished, clock: Clock
) -> None:
    """Three bookings: one held, one at the bank, and one paid and given up, whose refund is due."""
    ada, grace, alan = [await sale.buyer(name) for name in ("Ada", "Grace", "Alan")]
    await sale.hold(ada, "7C")
    await sale.checked_out(grace, "8C")
    await sale.cancel(alan, await sale.ticketed(alan, "9C"))
    clock.pass_s(60)

    found = await told(metrics, unfinished)

    assert found["booking_database_up"] == 1
    assert found["booking_unpaid_bookings"] == 2
    assert [found[f"booking_payments:{state}"] for state in ("open", "captured", "declined")] == [1, 1, 0]
    assert found["booking_open_payments_oldest_age_seconds"] == 60
    assert (found["booking_refunds_due"], found["booking_refunds_due_oldest_age_seconds"]) == (1, 60)
    assert found["booking_deliveries:outbox:due"] > 0
    assert found["booking_delivery_lag_seconds:outbox"] == 60

    await refunds.refund(sale.db, sale.bank, clock.now_s)
    clock.pass_s(KEPT_S)
    assert (await told(metrics, unfinished))["booking_refunds_due"] == 0


@on_sqlite
async def test_the_lag_of_a_box_is_the_age_of_the_oldest_that_is_due(
    db: Database, metrics: Metrics, unfinished: Unfinished, clock: Clock
) -> None:
    async def fill(connection: AsyncConnection) -> None:
        for key, age_s in (("old", 500), ("new", 5)):
            await announce(connection, "mail", "ticketed", key, "a@example.org", {}, NOW_S - age_s)
        event = {"gateway": "sandbox", "payment_key": "", "body": b"", "attempts": 9, "due_s": 0}
        states = {"given up": DeliveryState.DEAD, "done": DeliveryState.DONE}
        rows = [event | {"event_id": key, "state": state, "received_s": 0} for key, state in states.items()]
        await connection.execute(insert(inbox), rows)

    await db.write(fill)
    found = await told(metrics, unfinished)
    assert (found["booking_deliveries:outbox:due"], found["booking_delivery_lag_seconds:outbox"]) == (2, 500)
    assert (found["booking_deliveries:inbox:dead"], found["booking_delivery_lag_seconds:inbox"]) == (1, 0)
    assert (found["booking_deliveries:inbox:due"], found["booking_deliveries:outbox:dead"]) == (0, 0)


@on_sqlite
async def test_the_database_is_not_read_for_each_scrape(
    db: Database, metrics: Metrics, unfinished: Unfinished, clock: Clock
) -> None:
    for _ in range(3):
        await unfinished.figures()
    clock.pass_s(KEPT_S)
    await unfinished.figures()
    assert value(metrics, "booking_database_attempt_duration_seconds_count", name="unfinished") == 2


def test_without_figures_the_database_is_told_to_be_down() -> None:
    metrics = Metrics()
    text = exposed(metrics, None)
    assert "booking_database_up 0.0" in text
    assert "booking_refunds_due" not in text


@on_sqlite
async def test_lookups_in_the_cache_are_counted(sale: Sale, cache: Cache, metrics: Metrics) -> None:
    wish = search.parse({"origin": "ICN", "destination": "CJU", "end": "2027-01-20"}, NOW_S)
    for _ in range(3):
        await search.find(sale.db, cache, wish, NOW_S)
    assert value(metrics, "booking_cache_lookups_total", kind="search", outcome="miss") == 1
    assert value(metrics, "booking_cache_lookups_total", kind="search", outcome="hit") == 2


def test_sweeps_are_counted_with_what_they_did() -> None:
    metrics = Metrics()
    for swept in (Swept(2, 3, 0, 0), Swept(0, 0, 0, 0), None):
        metrics.note_sweep(swept)
    assert value(metrics, "booking_sweeps_total", outcome="done") == 2
    assert value(metrics, "booking_sweeps_total", outcome="failed") == 1
    assert value(metrics, "booking_swept_total", what="expired") == 3


@pytest.fixture
async def client(metrics: Metrics) -> AsyncIterator[Client]:
    """A site of one route."""

    async def flight(request: web.Request) -> web.Response:
        return web.Response(status=int(request.query.get("status", 200)))

    app = web.Application(middlewares=[metrics.count_requests, answer])
    app.router.add_get("/flights/{id}", flight)
    async with TestClient(TestServer(app)) as client:
        yield client


@web.middleware
async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as exc:
        return web.Response(status=exc.status)


@on_sqlite
async def test_requests_are_counted_by_route_and_status(client: Client, metrics: Metrics) -> None:
    for path in ("/flights/1", "/flights/2", "/flights/3?status=409", "/wp-login.php", "/%F0%9F%91%BE"):
        await client.get(path)
    await client.request("PROPFIND", "/flights/1")

    def requests(method: str, route: str, status: int) -> float:
        labels = {"method": method, "route": route, "status": str(status)}
        return value(metrics, "booking_http_requests_total", **labels)

    assert requests("GET", "/flights/{id}", 200) == 2
    assert requests("GET", "/flights/{id}", 409) == 1
    assert requests("GET", "none", 404) == 2
    assert requests("other", "none", 405) == 1
    assert value(metrics, "booking_http_request_duration_seconds_count", method="GET", route="/flights/{id}") == 3


def test_every_name_is_ours_and_says_its_unit() -> None:
    """As Prometheus has it: a prefix, base units, `_total` on what only grows."""
    text = exposed(Metrics(), None)
    names = {family.name for family in text_string_to_metric_families(text)}
    assert all(name.startswith(("booking_", "process_")) for name in names)
    assert not any(name.endswith(("_ms", "_milliseconds", "_minutes")) for name in names)
