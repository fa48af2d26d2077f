"""Who may come in: the middlewares that ask for the admission, the session, proof that a form is ours, and the line.

All routes are guarded but the exempt ones, which tell nothing that a stranger may not know.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from booking import bookings, cookies, sessions
from booking.accounts import Account
from booking.admission import HEADER, Admission, UnknownKey, require_key
from booking.errors import Forged, SignedOut
from booking.site import SITE, Site

# By the route's own path, never by the path asked for, so that no spelling of a path slips through.
EXEMPT = frozenset({"/healthz", "/static"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# What the guards found out, in the request.
ADMISSION = web.RequestKey("admission", Admission)
ACCOUNT = web.RequestKey("account", Account)
FORM_TOKEN = web.RequestKey("form_token", str)

AccountHandler = Callable[[web.Request, Account], Awaitable[web.Response]]


def signed_in(handler: AccountHandler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Gives the handler the account that is logged in; refuses strangers."""

    async def guarded(request: web.Request) -> web.Response:
        if ACCOUNT not in request:
            raise SignedOut
        return await handler(request, request[ACCOUNT])

    return guarded


@web.middleware
async def require_admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets nobody in without an admission by the waiting room. Which flight it is for is `require_line`'s."""
    resource = request.match_info.route.resource
    if resource is None or resource.canonical not in EXEMPT:
        tokens = request.headers.getall(HEADER, [])
        request[ADMISSION] = await _admission(request.app[SITE], tokens[0] if len(tokens) == 1 else "")
    return await handler(request)


async def _admission(site: Site, token: str) -> Admission:
    now_s = site.clock_s()
    admission = site.remembered.get(token, now_s)
    if admission is None:
        try:
            admission = site.judge.verify(token, site.key_set.keys, now_s)
        except UnknownKey:
            await site.key_set.refresh()
            admission = site.judge.verify(token, site.key_set.keys, now_s)
        site.remembered.add(token, admission)
    return admission


@web.middleware
async def know_account(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Looks up whose session the cookie names."""
    site = request.app[SITE]
    token = cookies.get(request, cookies.SESSION)
    account = await sessions.account_of(site.db, token, site.now_s()) if token else None
    if account is not None:
        request[ACCOUNT] = account
    return await handler(request)


@web.middleware
async def require_own_forms(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what another site makes a browser send.

    The browser says itself where a request comes from (Sec-Fetch-Site, or Origin). On top of that a form repeats the
    token of the cookie, and the API takes JSON, which no form of another site can send unasked.
    """
    held = cookies.get(request, cookies.FORM)
    request[FORM_TOKEN] = held or secrets.token_urlsafe(24)
    if request.method not in SAFE_METHODS:
        _require_same_origin(request)
        if request.path.startswith("/api/"):
            _require_json(request)
        else:
            await _require_form_token(request, held)
    response = await handler(request)
    if held is None and response.content_type == "text/html":
        cookies.put(request, response, cookies.FORM, request[FORM_TOKEN])
    return response


def _require_same_origin(request: web.Request) -> None:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        raise Forged(f"The browser says that another site sent it (Sec-Fetch-Site: {fetch_site}).")
    host = request.headers.get("X-Forwarded-Host", request.host)
    if origin is not None and urlsplit(origin).netloc != host:
        raise Forged(f"It was sent by {origin}, and this is {host}.")


def _require_json(request: web.Request) -> None:
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The API takes Content-Type: application/json.")


async def _require_form_token(request: web.Request, held: str | None) -> None:
    given = (await request.post()).get("form_token")
    if held is None or not isinstance(given, str) or not hmac.compare_digest(given.encode(), held.encode()):
        raise Forged("The form was too old, or cookies are off. Go back, load the page again, and send it once more.")


@web.middleware
async def require_line(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets who stood in one flight's line to that flight, and to all that is about no flight."""
    admission = request.get(ADMISSION)
    if admission is not None and admission.key is not None:
        for flight_id in await _flights_asked_for(request):
            require_key(admission, flight_id)
    return await handler(request)


async def _flights_asked_for(request: web.Request) -> list[str]:
    """The flights that a request is about, by the variables of its route. Raises SignedOut and Unknown.

    A booking is looked up for its owner alone, and a stranger is told what the handler would say: nobody learns here
    whether there is such a booking.
    """
    asked_for = []
    if "flight_id" in request.match_info:
        asked_for.append(request.match_info["flight_id"])
    if "reference" in request.match_info:
        if ACCOUNT not in request:
            raise SignedOut
        found = await bookings.find(request.app[SITE].db, request[ACCOUNT].id, request.match_info["reference"])
        asked_for.append(str(found.flight.id))
    return asked_for
