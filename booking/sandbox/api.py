"""The bank's API for the site: checkouts and refunds, each safe to repeat; and faults on demand."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Handler

from booking.sandbox.bank import BANK, Bank, cut
from booking.sandbox.errors import NotOurs, OutOfOrder, Refused
from booking.sandbox.faults import Faults, Operation
from booking.sandbox.ledger import Entry, State, find, open_checkout
from booking.sandbox.orders import Order, RefundOrder, leads_back, parse

Work = Callable[[Bank, str, bytes], Awaitable[Entry]]


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the bank refuses leaves as JSON."""
    try:
        return await handler(request)
    except Refused as exc:
        return web.json_response({"code": exc.code, "detail": str(exc)}, status=exc.status)


@web.middleware
async def require_secret(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Only who holds the secret may use the API; the pay page is for everyone who was given its address."""
    resource = request.match_info.route.resource
    if resource is not None and resource.canonical.startswith("/v1/"):
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {request.app[BANK].terms.secret}".encode()):
            raise NotOurs("send the header Authorization: Bearer, with the secret of the bank")
    return await handler(request)


async def health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def set_faults(request: web.Request) -> web.Response:
    """From now on the bank has these faults and no others."""
    bank = request.app[BANK]
    bank.faults = parse(Faults, await request.read())
    bank.messenger.wake()
    return web.Response(status=HTTPStatus.NO_CONTENT)


def operation(name: Operation, work: Work) -> Handler:
    """The handler of an operation, with the faults that it has now."""

    async def handle(request: web.Request) -> web.Response:
        bank, body = request.app[BANK], await request.read()
        faults = bank.faults
        await asyncio.sleep(faults.delay_s)
        if name in faults.refuse:
            raise OutOfOrder(f"{name} is out of order, as it was told to be")
        entry = await work(bank, request.match_info.get("checkout", ""), body)
        return cut(request) if name in faults.lose_answers else web.json_response(_document(bank, entry))

    return handle


async def _open(bank: Bank, _checkout_id: str, body: bytes) -> Entry:
    order = parse(Order, body)
    if not leads_back(order.return_url, bank.terms.site_url):
        raise Refused(f"return_url: must be below {bank.terms.site_url}")
    return await bank.ledger.write(open_checkout, order)


async def _ask(bank: Bank, checkout_id: str, _body: bytes) -> Entry:
    return await bank.ledger.write(find, checkout_id)


async def _close(bank: Bank, checkout_id: str, _body: bytes) -> Entry:
    return await bank.finish(checkout_id, State.CLOSED)


async def _refund(bank: Bank, checkout_id: str, body: bytes) -> Entry:
    return await bank.refund(checkout_id, parse(RefundOrder, body))


def _document(bank: Bank, entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "key": entry.order.key,
        "state": entry.state,
        "reason": entry.reason,
        "currency": entry.order.currency,
        "amount_minor": entry.order.amount_minor,
        "captured_minor": entry.captured_minor,
        "refunded_minor": entry.refunded_minor,
        "pay_url": bank.pay_url(entry.id),
    }


routes = [
    web.get("/healthz", health),
    web.post("/v1/faults", set_faults),
    web.post("/v1/checkouts", operation("open", _open)),
    web.get("/v1/checkouts/{checkout}", operation("ask", _ask)),
    web.post("/v1/checkouts/{checkout}/close", operation("close", _close)),
    web.post("/v1/checkouts/{checkout}/refunds", operation("refund", _refund)),
]
