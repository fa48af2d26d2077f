"""The operators' listener: alive, ready, and how it is doing."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from booking.admin import Admin
from booking.db import Database
from booking.errors import DatabaseUnavailable, StoreUnavailable
from booking.figures import Unfinished
from booking.metrics import Metrics
from booking.schema import SchemaBehindError, require_current
from booking.store import Store
from tests.booking.bench import NOW_S
from tests.servers import free_port

Client = TestClient[web.Request, web.Application]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def admin(db: Database, store: Store) -> Admin:
    return Admin(
        metrics=Metrics(),
        unfinished=Unfinished(db, lambda: NOW_S),
        needed={"database": lambda: require_current(db)},
        helpful={"redis": store.ping},
    )


@pytest.fixture
async def client(admin: Admin) -> AsyncIterator[Client]:
    async with TestClient(TestServer(admin.app())) as client:
        yield client


def failing(exc: Exception) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        raise exc

    return check


async def test_metrics_are_served_in_prometheus_own_format(client: Client) -> None:
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        text = await response.text()
    assert "booking_database_up 1.0" in text
    assert "booking_redis_up 1.0" in text


async def test_who_asks_for_openmetrics_gets_it(client: Client) -> None:
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert (await response.text()).endswith("# EOF\n")


async def test_metrics_are_served_while_the_database_is_gone(client: Client, admin: Admin) -> None:
    """That is when they are needed most."""
    gone = Database(f"mysql+aiomysql://booking@127.0.0.1:{free_port()}/booking")
    admin.unfinished = Unfinished(gone, lambda: NOW_S)
    async with client.get("/metrics") as response:
        assert response.status == 200
        assert "booking_database_up 0.0" in await response.text()


async def test_a_process_that_serves_is_alive_and_ready(client: Client) -> None:
    async with client.get("/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})
    async with client.get("/readyz") as response:
        parts = {"database": "ok", "redis": "ok", "process": "ok"}
        assert (response.status, await response.json()) == (200, {"status": "ok", "parts": parts})


@pytest.mark.parametrize(
    ("exc", "said"),
    [
        (DatabaseUnavailable(), "try again in a few seconds"),
        (SchemaBehindError("0001", "0002"), "run `booking migrate`"),
    ],
)
async def test_without_its_database_it_is_alive_but_not_ready(
    client: Client, admin: Admin, exc: Exception, said: str
) -> None:
    """A restart would not bring the database back."""
    admin.needed["database"] = failing(exc)
    async with client.get("/readyz") as response:
        assert response.status == 503
        assert said in (await response.json())["parts"]["database"]
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_without_redis_it_still_serves_and_says_so(client: Client, admin: Admin) -> None:
    admin.helpful["redis"] = failing(StoreUnavailable())
    async with client.get("/readyz") as response:
        assert response.status == 200
        assert (await response.json())["parts"]["redis"] != "ok"
    async with client.get("/metrics") as response:
        assert "booking_redis_up 0.0" in await response.text()


async def test_one_that_stops_wants_no_more_visitors(client: Client, admin: Admin) -> None:
    admin.is_stopping = True
    async with client.get("/readyz") as response:
        assert (response.status, (await response.json())["parts"]["process"]) == (503, "stopping")
