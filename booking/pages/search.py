"""Home, and what a search finds."""

from datetime import timedelta
from http import HTTPStatus

from aiohttp import web

from booking import search
from booking.airports import AIRPORTS
from booking.answers import page
from booking.errors import Invalid
from booking.site import SITE

# What the home page offers to someone who does not know yet where to go.
POPULAR = (("ICN", "CJU"), ("GMP", "CJU"), ("JFK", "LHR"), ("LHR", "JFK"))


async def home(request: web.Request) -> web.Response:
    # The day that has begun at every airport.
    today = max(airport.local(request.app[SITE].now_s()).date() for airport in AIRPORTS.values())
    week = today + timedelta(days=6)
    return page(request, "home.html", wish={"start": today}, faults={}, popular=POPULAR, today=today, week=week)


async def results(request: web.Request) -> web.Response:
    site = request.app[SITE]
    now_s = site.now_s()
    try:
        wish = search.parse(request.query, now_s)
    except Invalid as exc:
        return page(request, "search.html", HTTPStatus.BAD_REQUEST, wish=request.query, faults=exc.faults)
    return page(request, "results.html", found=await search.find(site.db, site.cache, wish, now_s))


routes = [web.get("/", home), web.get("/flights", results)]
