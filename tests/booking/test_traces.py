"""What a request waited for is told by name, what it leaves to others by a link, and nothing of it that is personal."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from booking.db import Attempt
from booking.outbox import Delivery
from booking.tables import outbox
from booking.webhooks import document
from tests.booking.bench import Visitor, rows
from tests.booking.conftest import Site
from tests.collector import Collector, Seen, collecting

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture(autouse=True)
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """Where a site sends its traces that is built after this."""
    async with collecting(monkeypatch) as collector:
        yield collector


async def request_of(collector: Collector, route: str) -> Seen:
    return await collector.one("booking", "SERVER", route)


async def test_a_write_is_told_by_its_name_with_its_statements_and_no_values(
    collector: Collector, flight_id: int, ada: Visitor
) -> None:
    await ada.held(flight_id, "7D")
    request = await request_of(collector, "POST /api/flights/{flight_id}/holds")
    [write] = [one for one in collector.within(request) if one.name == "take_seats"]
    statements = collector.within(write)
    assert (write.attributes["booking.outcome"], write.attributes["db.system.name"]) == ("done", "sqlite")
    assert statements[0].name == "BEGIN"
    assert {one.attributes["db.query.summary"] for one in statements[1:]} == {"take_seats"}
    [sold] = [one for one in statements if one.attributes["db.query.text"].startswith("UPDATE seats")]
    assert "?" in sold.attributes["db.query.text"]
    told = [str(value) for span in collector.spans for value in span.attributes.values()]
    assert not [value for value in told if "Passenger A" in value or "7D" in value]


async def test_a_refused_write_says_why_and_is_no_failure(collector: Collector, flight_id: int, ada: Visitor) -> None:
    assert (await ada.hold(flight_id, "99Z")).status == 404
    request = await request_of(collector, "POST /api/flights/{flight_id}/holds")
    [write] = [one for one in collector.within(request) if one.name == "take_seats"]
    assert (write.attributes["booking.outcome"], write.has_failed) == (Attempt.REFUSED, False)
    assert (request.attributes["http.response.status_code"], request.has_failed) == (404, False)


async def test_the_bank_is_asked_in_a_span_and_told_nothing_of_the_trace(
    collector: Collector, flight_id: int, ada: Visitor
) -> None:
    await ada.check_out(await ada.held(flight_id, "7D"))
    request = await request_of(collector, "POST /api/bookings/{reference}/checkout")
    [asked] = [one for one in collector.within(request) if one.kind == "CLIENT" and one.name == "POST"]
    assert asked.attributes["http.response.status_code"] == 200
    assert not any("url" in name for name in asked.attributes if name != "url.scheme")


async def test_what_is_delivered_later_is_a_trace_with_a_link_to_the_request(
    collector: Collector, flight_id: int, ada: Visitor
) -> None:
    await ada.held(flight_id, "7D")
    request = await request_of(collector, "POST /api/flights/{flight_id}/holds")
    delivery = await collector.one("booking", "CONSUMER", "deliver webhook")
    assert delivery.links == [(request.trace, request.id)]
    assert (delivery.trace != request.trace, delivery.parent) == (True, "")
    assert delivery.attributes["booking.delivery.event"] == "booking.held"


async def test_receivers_are_told_nothing_of_the_trace(
    collector: Collector, site: Site, flight_id: int, ada: Visitor
) -> None:
    await ada.held(flight_id, "7D")
    request = await request_of(collector, "POST /api/flights/{flight_id}/holds")
    [row] = await rows(site.db, select(outbox))
    delivery = Delivery.of(row)
    assert request.trace in delivery.trace
    assert request.trace not in document(delivery).decode()


async def test_what_a_proxy_has_begun_is_continued(collector: Collector, site: Site) -> None:
    async with site.visitor() as visitor:
        await visitor.get("/api/flights", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
    request = await request_of(collector, "GET /api/flights")
    assert (request.trace, request.parent) == (TRACE, SPAN)


async def test_what_a_proxy_does_not_record_is_not_recorded(collector: Collector, site: Site, flight_id: int) -> None:
    async with site.visitor() as visitor:
        fields = {"traceparent": f"00-{TRACE}-{SPAN}-00"}
        assert (await visitor.get(f"/api/flights/{flight_id}/seats", headers=fields)).status == 200
        await visitor.get("/healthz")
        await visitor.get("/api/flights")
    await request_of(collector, "GET /api/flights")
    assert {one.trace for one in collector.spans} == {collector.of("booking", "SERVER")[0].trace}


async def test_what_nobody_has_asked_for_is_not_recorded(collector: Collector, site: Site) -> None:
    async def _quiet(_connection: AsyncConnection) -> None:
        pass

    await site.db.write(_quiet)
    await site.sweep()
    async with site.visitor() as visitor:
        await visitor.get("/api/flights")
    request = await request_of(collector, "GET /api/flights")
    assert {one.trace for one in collector.spans} == {request.trace}
