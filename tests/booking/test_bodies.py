"""What the API is sent: only JSON objects of a decent size, with every fault named at once."""

import pytest

from booking.app import LARGEST_BODY
from tests.booking.bench import Visitor
from tests.booking.conftest import Site

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def visitor(site: Site) -> Visitor:
    return site.visitor()


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(visitor: Visitor) -> None:
    answer = await visitor.post("/api/accounts", {"name": "A" * LARGEST_BODY})

    assert answer.status == 413
    assert answer.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"text"', b"null", b"\xff", b"[" * 60_000, b'{"name": NaN'])
async def test_a_body_that_is_no_json_object_is_named_as_such(visitor: Visitor, body: bytes) -> None:
    answer = await visitor.ask("POST", "/api/accounts", data=body, headers={"Content-Type": "application/json"})

    assert (answer.status, answer.code) == (400, "invalid")


async def test_all_faults_of_a_body_are_told_at_once(visitor: Visitor) -> None:
    answer = await visitor.post("/api/accounts", {"name": 7, "email": "nobody", "password": "short"})

    assert (answer.status, answer.code) == (400, "invalid")
    assert "name" in answer.json["faults"]


async def test_another_type_than_json_is_refused(visitor: Visitor) -> None:
    answer = await visitor.ask("POST", "/api/accounts", data={"name": "Ada"})

    assert answer.status == 415
