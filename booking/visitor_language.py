"""Which language a visitor is answered in: the account's, else the cookie's, else the one that the browser asks for."""

from aiohttp import web

from booking import cookies
from booking.guards import ACCOUNT
from booking.language import Language, choose
from booking.site import SITE

LIFE_S = 365 * 86_400


def language_of(request: web.Request) -> Language:
    account = request.get(ACCOUNT)
    wish = account.language if account else cookies.get(request, cookies.LANGUAGE)
    return request.app[SITE].languages[choose(request.headers.get("Accept-Language", ""), wish)]


def remember(request: web.Request, response: web.StreamResponse, code: str) -> None:
    cookies.put(request, response, cookies.LANGUAGE, code, LIFE_S)
