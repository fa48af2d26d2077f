"""Who may come in: the middlewares that ask for the admission, the session, proof that a form is ours, and the line.

All routes are guarded but the exempt ones, which tell nothing that a stranger may not know.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from booking import bookings, cookies, logins
from booking.account import Account
from booking.admission import HEADER, Admission, require_key
from booking.errors import DatabaseUnavailable, Forged, Problem, SignedOut, StoreUnavailable
from booking.sentences import say
from booking.site import SITE

# By the route's own path, never by the path asked for, so that no spelling of a path slips through. A gateway is known
# by the signature of what it sends.
EXEMPT = frozenset({"/healthz", "/static", "/webhooks/{gateway}"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# What the guards found out, in the request.
ADMISSION = web.RequestKey("admission", Admission)
ACCOUNT = web.RequestKey("account", Account)
FORM_TOKEN = web.RequestKey("form_token", str)
# Why it can't be known whose request this is.
_ACCOUNT_FAULT = web.RequestKey("account_fault", Problem)

AccountHandler = Callable[[web.Request, Account], Awaitable[web.Response]]


def signed_in(handler: AccountHandler) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Gives the handler the account that is logged in; refuses strangers."""

    async def guarded(request: web.Request) -> web.Response:
        return await handler(request, account_of(request))

    return guarded


def account_of(request: web.Request) -> Account:
    """The account that is logged in. Raises SignedOut; or StoreUnavailable or DatabaseUnavailable, which hide it."""
    if ACCOUNT not in request:
        raise request.get(_ACCOUNT_FAULT) or SignedOut()
    return request[ACCOUNT]


@web.middleware
async def require_admission(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Lets nobody in without an admission by the waiting room. Which flight it is for is `require_line`'s."""
    if not _is_exempt(request):
        tokens = request.headers.getall(HEADER, [])
        site = request.app[SITE]
        request[ADMISSION] = await site.doorkeeper.admit(tokens[0] if len(tokens) == 1 else "", site.clock_s())
    return await handler(request)


def _is_exempt(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in EXEMPT


def asks_for_change(request: web.Request) -> bool:
    """Whether the request may change something; what no route takes changes nothing, and is told so by the router."""
    return request.method not in SAFE_METHODS and request.match_info.http_exception is None


@web.middleware
async def know_account(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Finds out who is logged in. Where that can't be known, only who needs an account is told."""
    if not _is_exempt(request):
        try:
            if login := await logins.recognise(request):
                request[ACCOUNT] = login.account
        except (StoreUnavailable, DatabaseUnavailable) as exc:
            request[_ACCOUNT_FAULT] = exc
    return await handler(request)


@web.middleware
async def require_own_forms(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuses what another site makes a browser send.

    The browser says itself where a request comes from (Sec-Fetch-Site, or Origin). On top of that a form repeats the
    token of the cookie, and the API takes JSON, which no form of another site can send unasked.
    """
    held = cookies.get(request, cookies.FORM)
    request[FORM_TOKEN] = held or secrets.token_urlsafe(24)
    if asks_for_change(request) and not _is_exempt(request):
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
    if request.method != "DELETE" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="The API takes Content-Type: application/json.")


async def _require_form_token(request: web.Request, held: str | None) -> None:
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType(text="A form is sent as application/x-www-form-urlencoded.")
    given = (await request.post()).get("form_token")
    if held is None or not isinstance(given, str) or not hmac.compare_digest(given.encode(), held.encode()):
        raise Forged(
            say("The form was too old, or cookies are off. Go back, load the page again, and send it once more.")
        )


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
        found = await bookings.find(request.app[SITE].db, account_of(request).id, request.match_info["reference"])
        asked_for.append(str(found.flight.id))
    return asked_for
