"""The page where one pays: what for, how much, and the card. It works without scripts, and leads back to the site.

Its address is the proof that one may pay: nobody can guess a checkout's id.
"""

import hashlib
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from booking.language import load
from booking.sandbox import cards, words
from booking.sandbox.bank import BANK, cut
from booking.sandbox.cards import TypedCard, Verdict
from booking.sandbox.errors import NoSuchCheckout
from booking.sandbox.ledger import Entry, State, find

FOLDER = Path(__file__).parent
STYLE = FOLDER / "pay.css"
FOR_EVER = "public, max-age=31536000, immutable"


def environment() -> Environment:
    """The page's template. It spells money as the site does, in the language of the order."""
    templates = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    languages = load()
    templates.filters["due"] = lambda order: languages[order.language].money(order.amount_minor, order.currency)
    templates.filters["grouped"] = _grouped
    templates.globals |= {"cards": cards.VERDICTS, "style_path": f"/pay.css?v={_digest()}"}
    return templates


async def form(request: web.Request) -> web.Response:
    entry = await _entry(request)
    return _page(request, entry, {}) if entry.state == State.OPEN else _back(entry)


async def pay(request: web.Request) -> web.Response:
    """One card, one answer: a declined one ends the checkout, and the site says what can be done then."""
    entry = await _entry(request)
    fields = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    card = cards.read(fields, time.time())
    if entry.state != State.OPEN:
        return _back(entry)
    if card.faults:
        return _page(request, entry, card.faults, HTTPStatus.BAD_REQUEST)
    return await _decide(request, entry, card)


async def _decide(request: web.Request, entry: Entry, card: TypedCard) -> web.Response:
    bank = request.app[BANK]
    if card.verdict not in {Verdict.PAYS, Verdict.PAYS_UNSEEN}:
        return _back(await bank.finish(entry.id, State.DECLINED, card.verdict))
    paid = await bank.finish(entry.id, State.CAPTURED)
    return cut(request) if card.verdict == Verdict.PAYS_UNSEEN else _back(paid)


async def style(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(STYLE, headers={"Cache-Control": FOR_EVER})


async def _entry(request: web.Request) -> Entry:
    try:
        return await request.app[BANK].ledger.write(find, request.match_info["checkout"])
    except NoSuchCheckout as exc:
        raise web.HTTPNotFound(text="There is no such payment. Go back to the site, and begin anew.") from exc


def _page(request: web.Request, entry: Entry, faults: cards.Faults, status: int = 200) -> web.Response:
    """The number of a card goes back into no page: it is typed anew."""
    bank, order = request.app[BANK], entry.order
    template = bank.templates.get_template("pay.html")
    text = template.render(order=order, faults=faults, say=words.WORDS[order.language])
    return web.Response(text=text, status=status, content_type="text/html", headers=_headers(bank.terms.site_url))


def _headers(site_url: str) -> dict[str, str]:
    """Chromium holds the redirect after a form to form-action too: the way back must be in it."""
    site = urlsplit(site_url)
    policy = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {site.scheme}://{site.netloc}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _back(entry: Entry) -> web.Response:
    headers = {"Location": entry.order.return_url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=HTTPStatus.SEE_OTHER, headers=headers)


def _digest() -> str:
    return hashlib.sha256(STYLE.read_bytes()).hexdigest()[:12]


def _grouped(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


routes = [
    web.get("/pay/{checkout}", form),
    web.post("/pay/{checkout}", pay),
    web.get("/pay.css", style),
]
